public import HyphaPacket

/// Why a stock body is dropped.
@frozen
public enum StockRefusal: UInt8, CaseIterable, Sendable {
    /// Shorter than user header, tag and nonce.
    case tooShort
    /// Its nonce has a prefix of this process: our own body came back.
    case reflected
    /// The tag is wrong.
    case notAuthentic
    /// Its nonce came before.
    case duplicate
    /// User header of another version or kind.
    case unknownKind
    /// An inner packet that is not one whole IPv6 packet.
    case badPacket
    /// Inner addresses other than the outer ones.
    case foreignAddress
    /// Out-of-band ICMP of a wrong size, of a type that is no error, or without a quote.
    case badReport

    /// Under which reason it is counted.
    public var dropReason: DropReason {
        switch self {
        case .tooShort: .badLength
        case .reflected, .duplicate: .flowReplay
        case .notAuthentic: .badFlowAuth
        case .unknownKind, .badPacket, .badReport: .badPacket
        case .foreignAddress: .badSource
        }
    }
}
