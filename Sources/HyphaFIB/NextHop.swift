/// What forwarding does with a destination: 16 bytes.
@frozen
public struct NextHop: BitwiseCopyable, Hashable, Sendable {
    @frozen
    public enum Kind: UInt8, BitwiseCopyable, Sendable {
        /// No prefix matches.
        case none = 0
        /// Send on `link`.
        case link = 1
        /// For this node itself.
        case local = 2
        /// Known to have no route: answer with an ICMPv6 error.
        case unreachable = 3
    }

    public var kind: Kind
    /// Link id, for kind `link`.
    public var link: UInt32
    /// End-to-end peer id of the key of the destination; `.max`: none known.
    public var peer: UInt32
    /// Zero: takes part in equality, means nothing yet.
    public var reserved: UInt32

    @inlinable @inline(__always)
    public init(kind: Kind, link: UInt32 = 0, peer: UInt32 = .max) {
        self.kind = kind
        self.link = link
        self.peer = peer
        reserved = 0
    }

    /// The answer when no prefix matches.
    @inlinable public static var none: NextHop { NextHop(kind: .none) }
    /// The answer for a destination known to have no route.
    @inlinable public static var unreachable: NextHop { NextHop(kind: .unreachable) }
}
