/// What forwarding does with a destination: 16 bytes.
///
/// | byte | size | field |
/// |---|---|---|
/// | 0 | 1 | kind |
/// | 4 | 4 | link |
/// | 8 | 4 | peer |
/// | 12 | 4 | bit 31: ageing; the others: alternate |
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
    /// In one word, so that a lookup reads no more than it must.
    @usableFromInline var ageingAndAlternate: UInt32

    @inlinable @inline(__always)
    public init(kind: Kind, link: UInt32 = 0, peer: UInt32 = .max) {
        self.kind = kind
        self.link = link
        self.peer = peer
        ageingAndAlternate = 0
    }

    @inlinable @inline(__always)
    static var ageingBit: UInt32 { 1 &<< 31 }

    /// The route ends soon unless control hears that it is in use.
    @inlinable
    public var isAgeing: Bool {
        @inline(__always) get { ageingAndAlternate & NextHop.ageingBit != 0 }
        set { ageingAndAlternate = newValue ? ageingAndAlternate | NextHop.ageingBit : alternate }
    }

    /// Number in its snapshot of the hop to take when `link` cannot be used; 0: there is none. See `FIBView.alternate`.
    @inlinable
    public var alternate: UInt32 {
        @inline(__always) get { ageingAndAlternate & ~NextHop.ageingBit }
    }

    /// `alternate` is below 2^31.
    mutating func setAlternate(_ alternate: UInt32) {
        ageingAndAlternate = ageingAndAlternate & NextHop.ageingBit | alternate
    }

    /// The answer when no prefix matches.
    @inlinable public static var none: NextHop { NextHop(kind: .none) }
    /// The answer for a destination known to have no route.
    @inlinable public static var unreachable: NextHop { NextHop(kind: .unreachable) }
}
