/// The key shared with a peer, or why there is none now.
enum StockKeyAnswer {
    /// Its slot in `StockKeys`.
    case slot(UInt32)
    /// The peer's public key gives none.
    case none
    /// Too many had to be agreed on lately.
    case limited
}
