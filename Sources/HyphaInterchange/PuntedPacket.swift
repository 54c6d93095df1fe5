public import HyphaBase

/// The head of a record in a punt ring; the bytes follow it.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 1 | kind |
/// | 1 | 1 | UDP socket |
/// | 2 | 2 | length of the bytes |
/// | 4 | 4 | link id of arrival, or TCP connection; max when none |
/// | 8 | 24 | sender (handshakes) |
/// | 32 | | bytes |
@frozen
public struct PuntedPacket: BitwiseCopyable, Sendable {
    @frozen
    public enum Kind: UInt8, BitwiseCopyable, Sendable {
        /// A link handshake datagram (types 1 to 3), not authenticated.
        case handshake
        /// Routing header and body for this node: end-to-end handshake or error.
        case overlay
        /// Control entries of an authentic link message.
        case linkControl
        /// Control entries of an authentic end-to-end body, behind the routing header it came under.
        case flowControl
        /// A TCP connection is there: `link` is its id, `sender` the other end, the bytes are a `StreamOpening`.
        case streamOpened
        /// The Babel body of a control frame that came over the TCP connection `link`.
        case streamControl
    }

    public var kind: Kind
    public var socket: UInt8
    public var length: UInt16
    public var link: UInt32
    public var sender: SocketAddress

    /// Bytes in front of the packet.
    public static let headSize = 32
    /// Most bytes of a handshake record.
    public static let maxHandshake = 168
    /// Most bytes of the other kinds.
    public static let maxPacket = 2_000

    public init(kind: Kind, length: Int, link: UInt32 = .max, socket: UInt8 = 0, sender: SocketAddress = .none) {
        self.kind = kind
        self.length = UInt16(clamping: length)
        self.link = link
        self.socket = socket
        self.sender = sender
    }
}

extension SocketAddress {
    /// No address.
    public static let none = SocketAddress(address: IPv6Address(high: 0, low: 0), port: 0)
}
