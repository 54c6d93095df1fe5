/// A stock node as its neighbour sees it: bytes in, bytes out, time as an argument in milliseconds.
///
/// It announces its own subnet at once, answers each Hello with an IHU and requests for its own subnet or for everything
/// with an Update, says Hello every 20 s, and drops a peer that sends no IHU. It has no other routes and relays nothing.
public struct StockModel: Sendable {
    /// Milliseconds between Hellos.
    public static let helloInterval: UInt64 = 20_000
    /// Milliseconds without an IHU after which a peer is dead.
    public static let deathAfter: UInt64 = 43_000

    public let routerID: [UInt8]
    /// The first 8 bytes of its address.
    public let prefix: [UInt8]
    private var decoder = StockDecoder()
    private var helloSeqno: UInt16 = 0
    private var nextHello: UInt64
    private var lastIHU: UInt64
    /// All that it read, in order.
    public private(set) var received: [StockPacket] = []
    /// The peer sent no IHU for too long and was dropped.
    public private(set) var peerIsDead = false

    /// `routerID` has 40 bytes, `prefix` 8.
    public init(routerID: [UInt8], prefix: [UInt8], now: UInt64) {
        self.routerID = routerID
        self.prefix = prefix
        nextHello = now + StockModel.helloInterval
        lastIHU = now
    }

    public var state: StockDecoder.State { decoder.state }
    public var controlPlaneStopped: Bool { decoder.controlPlaneStopped }
    public var mayAbort: Bool { decoder.mayAbort }
    /// Whether it still reads and writes.
    public var isConnected: Bool { decoder.state == .running && !peerIsDead }

    /// What it writes as soon as the connection stands.
    public func start() -> [UInt8] { ownUpdate }

    /// Reads once from the socket and returns what it writes in answer.
    public mutating func receive(_ chunk: [UInt8], now: UInt64) -> [UInt8] {
        guard isConnected else { return [] }
        var answer: [UInt8] = []
        for packet in decoder.receive(chunk) {
            received.append(packet)
            switch packet {
            case .hello: answer += StockModel.control(type: 5, [0, 0, 0x03, 0xF7, 0x17, 0x70])
            case .ihu: lastIHU = now
            case .routeRequest(_, let wanted, _) where wanted.isEmpty || wanted == prefix: answer += ownUpdate
            default: break
            }
        }
        return answer
    }

    /// Lets time pass and returns what it writes of itself.
    public mutating func advance(to now: UInt64) -> [UInt8] {
        if isConnected, now >= lastIHU + StockModel.deathAfter { peerIsDead = true }
        guard isConnected else { return [] }
        var out: [UInt8] = []
        while now >= nextHello {
            let seqno = helloSeqno
            out += StockModel.control(
                type: 4, [0x80, 0, UInt8(seqno >> 8), UInt8(truncatingIfNeeded: seqno), 0x07, 0xD0])
            helloSeqno &+= 1
            nextHello += StockModel.helloInterval
        }
        return out
    }

    /// A data packet as it writes it.
    public static func data(hopLimit: UInt8, source: [UInt8], destination: [UInt8], payload: [UInt8]) -> [UInt8] {
        let length = payload.count
        return [1, 0, 0, 0, 0, UInt8(length >> 8), UInt8(truncatingIfNeeded: length), hopLimit] + source + destination
            + payload
    }

    /// A control packet around one TLV.
    public static func control(type: UInt8, _ body: [UInt8]) -> [UInt8] {
        [1, 1, 0, 0, 42, 3, 0, UInt8(body.count + 2), type, UInt8(body.count)] + body
    }

    private var ownUpdate: [UInt8] {
        StockModel.control(type: 8, [2, 0, 64, 0, 0x75, 0x30, 0, 0, 0, 0] + prefix + routerID)
    }
}
