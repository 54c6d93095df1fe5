import HyphaBase

/// A stock node without its sockets: bytes in, bytes out, packets of its host in and out, time as an argument in
/// milliseconds that never goes back.
///
/// It is written from the specification alone and shares no codec with the code under test. What would end a stock process
/// sets `aborted`; what a well-behaved node does not do is counted in `oddities`.
public struct StockRouterModel: Sendable {
    /// Milliseconds between own Updates.
    static let ownUpdateInterval: UInt64 = 300_000
    /// Milliseconds of a query, of the request cache, and of what a selected route must have left.
    static let queryTime: UInt64 = 15_000
    /// Milliseconds that a retracted route stays.
    static let retractionHold: UInt64 = 6_000
    /// Milliseconds between two seqno requests for the same, and between two own seqnos.
    static let seqnoPause: UInt64 = 4_000
    static let seqnoCacheTime: UInt64 = 60_000
    static let sourceTime: UInt64 = 1_800_000

    public let identity: StockIdentity
    /// A node without a TUN opens packets for its host and discards them.
    public let hasTun: Bool
    let helloPeriod: UInt64

    /// Why the process ends.
    public internal(set) var aborted: String?
    /// A route request with an IPv4 prefix came: nothing is answered any more.
    public internal(set) var controlPlaneIsDead = false
    public internal(set) var oddities = StockOddities()
    public internal(set) var counters = StockCounters()
    public internal(set) var drops: [StockDrop: Int] = [:]

    var links: [Int: StockLink] = [:]
    var nextLink = 0
    var closing: [Int] = []
    var hostPackets: [[UInt8]] = []

    var seqno: UInt16 = 0
    var seqnoBumped: UInt64
    var table: [StockSubnet: StockTableEntry] = [:]
    /// Lengths of the table's subnets, the longest first.
    var lengths: [Int] = []
    /// Ends of queries. One that is left over ends a newer query early.
    var queryTimers: [StockSubnet: [UInt64]] = [:]
    var sources: [StockSource: StockDistance] = [:]
    var requests: [StockSubnet: StockRequestMemory] = [:]
    var seqnoRequests: [StockSeqnoKey: StockSeqnoMemory] = [:]
    /// By the /64 of the destination, and of the source.
    var outbound = StockPacketQueue<StockWaiting>(perSubnet: 1_000, total: 10_000)
    var inbound = StockPacketQueue<StockDatagram>(perSubnet: 100, total: 10_000)

    var nextHello: UInt64
    var nextDeathCheck: UInt64
    var nextOwnUpdate: UInt64
    private var nonces: Seed

    /// `helloPeriod` in milliseconds; a peer is dead after 43/20 of it without IHU. Every start of a node needs another
    /// `nonceSeed`.
    public init(
        identity: StockIdentity, hasTun: Bool = true, helloPeriod: UInt64 = 20_000, nonceSeed: UInt64, now: UInt64
    ) {
        self.identity = identity
        self.hasTun = hasTun
        self.helloPeriod = max(1, helloPeriod)
        nonces = Seed(nonceSeed)
        seqnoBumped = now
        nextHello = now + self.helloPeriod
        nextDeathCheck = now + self.helloPeriod / 2
        nextOwnUpdate = now + StockRouterModel.ownUpdateInterval
    }

    /// Milliseconds without IHU after which a peer is dead.
    public var deathAfter: UInt64 { helloPeriod * 43 / 20 }

    // MARK: - Links

    /// A connection stands: the own Update and what is asked for at the moment wait to be written. Returns the link's
    /// number.
    public mutating func connect(_ name: String, isIPv4: Bool, now: UInt64) -> Int {
        let number = nextLink
        nextLink += 1
        links[number] = StockLink(name: name, transportCost: isIPv4 ? 15 : 10, now: now)
        counters.linksAdded += 1
        sendOwnUpdate(to: [number], now: now)
        if !controlPlaneIsDead {
            for subnet in queried { sendRouteRequest(subnet, generation: 0, to: [number]) }
        }
        return number
    }

    /// The connection ended; the router sees that at once.
    public mutating func disconnect(_ number: Int, now: UInt64) {
        guard links.removeValue(forKey: number) != nil else { return }
        losePeer(number, now: now)
    }

    /// What one read of the socket gave.
    public mutating func receive(_ bytes: [UInt8], from number: Int, now: UInt64) {
        guard aborted == nil, let packets = links[number]?.decode(bytes) else { return }
        for packet in packets {
            links[number]?.conduct.heard(packet, now: now, &oddities)
            if case .data(let hopLimit, let source, let destination, let payload) = packet {
                let (from, to) = (IPv6Address(in: source, at: 0), IPv6Address(in: destination, at: 0))
                counters.dataReceived += 1
                check(from, to, payload.count)
                forward(
                    StockDatagram(hopLimit: hopLimit, source: from, destination: to, payload: payload),
                    from: number, now: now)
            } else if !controlPlaneIsDead {
                control(packet, from: number, now: now)
            }
        }
        guard let link = links[number] else { return }
        if !link.decoder.oddities.isEmpty, let seen = links[number]?.decoder.takeOddities() { oddities.absorb(seen) }
        if let reason = link.decoder.abort { aborted = reason }
        if link.decoder.controlPlaneStopped { controlPlaneIsDead = true }
        switch link.decoder.state {
        case .running: break
        case .closed:
            disconnect(number, now: now)
            closing.append(number)
        case .panicked:
            // The connection's task died. The router learns it from missing IHUs.
            links[number]?.isBroken = true
            links[number]?.output = []
            closing.append(number)
        }
    }

    private mutating func control(_ packet: StockPacket, from number: Int, now: UInt64) {
        switch packet {
        case .data: break
        case .hello:
            counters.hellosReceived += 1
            if let cost = links[number]?.cost { links[number]?.write(StockEncoder.ihu(cost: cost)) }
        case .ihu:
            counters.ihusReceived += 1
            links[number]?.heardIHU(now: now)
        case .update(let prefix, let length, let seqno, let metric, let interval, let routerID):
            counters.updatesReceived += 1
            update(
                StockSource(subnet: StockSubnet(prefix: prefix, length: length), routerID: routerID), seqno: seqno,
                metric: metric, interval: interval, from: number, now: now)
        case .routeRequest(let generation, let prefix, let length):
            counters.routeRequestsReceived += 1
            let subnet = prefix.isEmpty ? nil : StockSubnet(prefix: prefix, length: length)
            routeRequest(subnet, generation: generation, from: number, now: now)
        case .seqnoRequest(let prefix, let length, let seqno, let hopCount, let routerID):
            counters.seqnoRequestsReceived += 1
            let source = StockSource(subnet: StockSubnet(prefix: prefix, length: length), routerID: routerID)
            seqnoRequest(StockSeqnoKey(source: source, seqno: seqno), hopCount: hopCount, from: number, now: now)
        }
    }

    // MARK: - What comes out

    /// What waits to be written to a link.
    public mutating func takeOutput(_ number: Int) -> [UInt8] {
        guard let link = links[number], !link.output.isEmpty else { return [] }
        return links[number]?.takeOutput() ?? []
    }

    /// Links whose connection the node ends of itself.
    public mutating func takeClosing() -> [Int] {
        defer { closing = [] }
        return closing
    }

    /// IPv6 packets for the host.
    public mutating func takeHostPackets() -> [[UInt8]] {
        defer { hostPackets.removeAll(keepingCapacity: true) }
        return hostPackets
    }

    /// Link numbers in order.
    public var linkNumbers: [Int] { links.keys.sorted() }

    mutating func drop(_ reason: StockDrop) { drops[reason, default: 0] += 1 }

    mutating func nonce() -> [UInt8] {
        let random = IPv6Address(high: nonces.next(), low: nonces.next())
        return Array(random.bytes.prefix(12))
    }
}
