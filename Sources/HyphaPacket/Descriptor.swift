/// What happens to a packet when the stages are done with it.
@frozen
public enum Disposition: UInt8, BitwiseCopyable, Sendable {
    /// No stage decided yet.
    case undecided
    /// Goes out on the link `egress`.
    case forward
    /// Goes into the TUN.
    case deliver
    /// Copied to the control thread by the stage that decided; nothing left to do.
    case punted
    /// Copied into a waiting slot by the stage that decided.
    case parked
    /// Ended; `reason` says why, `send` counts it.
    case drop
}

/// How a packet is, or will be, sealed on a link.
@frozen
public enum SealMode: UInt8, BitwiseCopyable, Sendable {
    /// Not at all: it came in a stock frame over TCP, goes out in one, or its body is a stock body for this node.
    case stock = 0
    /// HL1 type 4: header and body sealed.
    case full = 4
    /// HL1 type 5: only the routing header sealed.
    case header = 5
    /// HL1 type 6: one of two pieces of a packet, sealed as type 4.
    case fragment = 6
}

/// Where a packet came from.
@frozen
public enum Origin: UInt8, BitwiseCopyable, Sendable {
    case link, tun, injected
}

/// One packet inside a vector: 32 bytes, two to a cache line.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 4 | buffer |
/// | 4 | 4 | offset of the frame in the buffer |
/// | 8 | 4 | length of the frame |
/// | 12 | 4 | ingress: link session slot of arrival; then egress: link id |
/// | 16 | 4 | flow: end-to-end session slot or peer id |
/// | 20 | 1 | disposition |
/// | 21 | 1 | drop reason |
/// | 22 | 1 | seal mode |
/// | 23 | 1 | lane of the link header |
/// | 24 | 8 | counter of the link header |
///
/// The frame is the UDP payload: link header first. Between `open` and `seal` the plain routing header stands at
/// `offset` + 16 in both seal modes.
///
/// A stock frame is described as if it were one, so that source, destination and body stand in the same places: `offset`
/// is 24 bytes in front of it, `length` 40 more than its own. The 24 bytes may belong to another packet.
@frozen
public struct Descriptor: BitwiseCopyable {
    public var buffer: UInt32
    public var offset: UInt32
    public var length: UInt32
    /// Ingress link session slot until `route`, egress link id after it.
    public var link: UInt32
    /// End-to-end session slot; of a stock body to be sealed `stockFlow` and the slot of its key.
    public var flow: UInt32
    public var disposition: Disposition
    public var reason: UInt8
    public var mode: SealMode
    public var lane: UInt8
    public var counter: UInt64

    @inlinable @inline(__always)
    public init(buffer: UInt32, offset: UInt32, length: UInt32, mode: SealMode = .full) {
        self.buffer = buffer
        self.offset = offset
        self.length = length
        link = .max
        flow = .max
        disposition = .undecided
        reason = 0
        self.mode = mode
        lane = 0
        counter = 0
    }

    /// In `flow`: a stock body, sealed with the key in the slot that the other bits name.
    public static var stockFlow: UInt32 { 1 &<< 31 }

    /// Bytes in front of a stock frame that its descriptor includes.
    public static var stockLead: UInt32 { 24 }
    /// Bytes that the length of a stock frame's descriptor has more than the frame: the lead, and a link tag's room.
    public static var stockExcess: UInt32 { 40 }

    /// Ends the packet with a reason.
    @inlinable @inline(__always)
    public mutating func drop(_ why: DropReason) {
        disposition = .drop
        reason = why.rawValue
    }
}
