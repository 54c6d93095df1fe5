public import HyphaBase

/// What control tells a worker, one record of its command ring (64 bytes at most).
@frozen
public struct WorkerCommand: BitwiseCopyable, Sendable {
    @frozen
    public enum Operation: UInt8, BitwiseCopyable, Sendable {
        /// Link `id` goes to `endpoint` through `socket`, takes datagrams up to the low 16 bits of `value`; `fullSealBit`
        /// and `headerSealBit` override how packets are sealed on it. Creates or changes it.
        case setLink
        /// Link `id` is gone; its sessions are retired by commands of their own before.
        case removeLink
        /// The prepared link session in `slot` may be received on.
        case installLinkSession
        /// Link `id` seals with the session in `slot` from now on.
        case sendWithLinkSession
        /// The link session in `slot` ends: keys wiped, answered with the notice `linkSessionRetired`.
        case retireLinkSession
        /// End-to-end peer `id` has canonical address `endpoint.address`; `value` is 1 when its whole /64 is its own.
        case setPeer
        /// End-to-end peer `id` is gone.
        case removePeer
        case installFlowSession
        /// Peer `id` is sealed to with the session in `slot`; what waits for it goes out.
        case sendWithFlowSession
        case retireFlowSession
        /// No session with peer `id` could be made: what waits for it is answered with ICMPv6.
        case rejectParked
        /// An empty message under the link session in `slot` at once (it confirms the session to its responder).
        case confirmLinkSession
        /// The same end to end: an empty control body.
        case confirmFlowSession
        /// A message that asks link `id` for a sign of life: a PAD under its session.
        case probeLink
        /// Stop taking packets in, send what is queued, then end.
        case drain
    }

    /// In the value of `setLink`: everything leaves fully sealed, whatever mode it arrived in.
    public static let fullSealBit: UInt32 = 1 << 16
    /// In the value of `setLink`: packets that enter the overlay here leave header-sealed.
    public static let headerSealBit: UInt32 = 1 << 17

    public var operation: Operation
    public var socket: UInt8
    public var value: UInt32
    public var id: UInt32
    public var slot: UInt32
    public var endpoint: SocketAddress

    public init(
        _ operation: Operation, id: UInt32 = .max, slot: UInt32 = .max, value: UInt32 = 0, socket: UInt8 = 0,
        endpoint: SocketAddress = SocketAddress(address: IPv6Address(high: 0, low: 0), port: 0)
    ) {
        self.operation = operation
        self.id = id
        self.slot = slot
        self.value = value
        self.socket = socket
        self.endpoint = endpoint
    }
}
