/// Watches what one neighbour does and when.
struct StockConduct: Sendable {
    /// Milliseconds.
    static let ownUpdateWithin: UInt64 = 1_000
    static let helloWithin: UInt64 = 25_000
    static let ihuWithin: UInt64 = 1_000

    private let since: UInt64
    private var isSilent = true
    private var ownUpdateIsLate = false
    private var lastHello: UInt64
    /// When the Hello went out that has no IHU yet.
    private var helloUnanswered: UInt64?
    private var ihuIsLate = false
    /// What the neighbour's own Update said.
    private(set) var routerID: [UInt8]?

    init(now: UInt64) {
        since = now
        lastHello = now
    }

    mutating func heard(_ packet: StockPacket, now: UInt64, _ oddities: inout StockOddities) {
        defer { isSilent = false }
        if case .update(let prefix, let length, _, let metric, let interval, let router) = packet {
            let subnet = StockSubnet(prefix: prefix, length: length)
            if metric == 0, length == 64, subnet.contains(StockIdentity.address(of: router)) {
                routerID = router
                return
            }
            if metric == StockMetric.infinite, interval != 0, let routerID, routerID != router {
                oddities.note(.retractionRouterID, router)
            }
        }
        if isSilent { oddities.note(.ownUpdateNotFirst, "\(packet)") }
        if case .hello = packet { lastHello = now }
        if case .ihu = packet {
            if helloUnanswered == nil { oddities.note(.ihuUnasked, "after \(now - since) ms") }
            helloUnanswered = nil
            ihuIsLate = false
        }
    }

    mutating func sentHello(now: UInt64) {
        helloUnanswered = now
        ihuIsLate = false
    }

    /// Looks for what did not come.
    mutating func check(now: UInt64, _ oddities: inout StockOddities) {
        if routerID == nil, !ownUpdateIsLate, now >= since + StockConduct.ownUpdateWithin {
            ownUpdateIsLate = true
            oddities.note(.ownUpdateLate, "none after \(now - since) ms")
        }
        if now >= lastHello + StockConduct.helloWithin {
            oddities.note(.helloLate, "none for \(now - lastHello) ms")
            lastHello = now
        }
        if let sent = helloUnanswered, !ihuIsLate, now >= sent + StockConduct.ihuWithin {
            ihuIsLate = true
            oddities.note(.ihuLate, "none for \(now - sent) ms")
        }
    }
}
