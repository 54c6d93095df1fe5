public import HyphaBase

/// What control tells a worker, one record of its command ring (80 bytes).
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
        /// Link `id` seals with the session in `slot` from now on; `value`: its round trip time in milliseconds, which
        /// is added to the time that an answer may take.
        case sendWithLinkSession
        /// The link session in `slot` ends: keys wiped, answered with the notice `linkSessionRetired`.
        case retireLinkSession
        /// End-to-end peer `id` has canonical address `endpoint.address` and public key `key`; bits of `value`:
        /// `ownsPrefixBit`, `nativeHintBit`,
        /// `nativeProofBit`.
        case setPeer
        /// End-to-end peer `id` is gone.
        case removePeer
        case installFlowSession
        /// Peer `id` is sealed to with the session in `slot`; what waits for it goes out.
        case sendWithFlowSession
        case retireFlowSession
        /// No session with peer `id` could be made: what waits for it is answered with ICMPv6, or goes in stock bodies if
        /// that is allowed.
        case rejectParked
        /// An empty message under the link session in `slot` at once (it confirms the session to its responder).
        case confirmLinkSession
        /// The same end to end: an empty control body.
        case confirmFlowSession
        /// A message that asks link `id` for a sign of life: a PAD under its session.
        case probeLink
        /// Connect over TCP to `endpoint`; the answer is a `streamOpened` with dial number `id`, or `streamFailed`.
        case openStream
        /// End the TCP connection `id`; `value` 1 with RST, else with FIN.
        case closeStream
        /// Each Hello that comes over the TCP connection `id` is answered with an IHU from now on: receive cost in the low
        /// 16 bits of `value`, interval in the others.
        case answerHellos
        /// What waits for a route to the /64 of `endpoint.address` goes on: there is one now.
        case routeResolved
        /// There is none: what waits is answered with ICMPv6.
        case routeFailed
        /// Nonces of stock bodies begin with the 8 bytes of `endpoint.address.high` from now on.
        case setStockPrefix
        /// Stop taking packets in, send what is queued, then end.
        case drain
    }

    /// In the value of `setLink`: everything leaves fully sealed, whatever mode it arrived in.
    public static let fullSealBit: UInt32 = 1 << 16
    /// In the value of `setLink`: packets that enter the overlay here leave header-sealed.
    public static let headerSealBit: UInt32 = 1 << 17

    /// In the value of `setPeer`: its whole /64 is its own.
    public static let ownsPrefixBit: UInt32 = 1
    /// In the value of `setPeer`: its router id, or a link with it, says that it speaks native sessions.
    public static let nativeHintBit: UInt32 = 2
    /// In the value of `setPeer`: it proved that with its key, on a link of this run.
    public static let nativeProofBit: UInt32 = 4

    /// The 32 bytes of a public key.
    @frozen
    public struct KeyBytes: BitwiseCopyable, Sendable {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

        /// Zero.
        public init() {}

        /// The first 32 of `bytes`; zero for fewer.
        public init(_ bytes: [UInt8]) {
            guard bytes.count >= 32 else { return }
            withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes[0..<32]) }
        }

        /// Calls `body` with the bytes.
        public func withBytes<Result>(_ body: (UnsafePointer<UInt8>) -> Result) -> Result {
            withUnsafeBytes(of: words) { bytes in
                // Never empty: the words are 32 bytes.
                body(bytes.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: UInt8.self))
            }
        }
    }

    public var operation: Operation
    public var socket: UInt8
    public var value: UInt32
    public var id: UInt32
    public var slot: UInt32
    public var endpoint: SocketAddress
    public var key = KeyBytes()

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
