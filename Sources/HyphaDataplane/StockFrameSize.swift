import HyphaWire

/// Sizes of an own stock body as a frame (see `sealStock`), and of the virtual frame that a stock body for this node is
/// described by (`Descriptor`).
enum StockFrameSize {
    /// Where the sealed payload starts.
    static let payloadOffset = LinkHeader.size + RoutingHeader.size
    /// Bytes of a frame beside its payload.
    static let framing = payloadOffset + LinkHeader.tagSize
    /// Bytes of a frame beside its content.
    static let overhead = framing + StockPayload.overhead
}
