import HyphaBase
import HyphaRouting
import HyphaWire

/// A node of a simulated mesh: its router, what it wrote to its disk, and where it forwards.
struct SimNode: Sendable {
    struct Answer: Sendable {
        let session: UInt32
        let ihu: BabelTLV.IHU
    }

    var router: Router
    var state: RouterState?
    var isRunning = true
    /// Rises with every start: what others see as its boot id.
    var boot: UInt32 = 1
    /// It lost its state in this run: for its prefix there may be two origins for a while.
    var hasLostState = false
    var forwarding: SimForwarding
    /// Its links, by the number under which its router knows them.
    var links: [Int] = []
    /// By number of the link: the session that this end holds, 0 for none, and the boot of the other end that it saw.
    var sessions: [UInt32] = []
    var boots: [UInt32] = []
    /// By number of the link: what Hellos of a stock neighbour are answered with, and in which session.
    var answers: [Answer?] = []
    /// When it is woken.
    var wake = Instant.distantFuture
    /// What is hostile in it; nil in honest nodes.
    var hostile: HostileNode?
    /// Prefixes that it forwards to although no honest node owns them.
    var strangers: Set<Prefix> = []
    /// Entries that its router was handed since its start.
    var handled: UInt64 = 0
    var sent = SimTraffic()
    var received = SimTraffic()

    /// When it is to be woken, if that is earlier than before. (In place: reading the router through the array of nodes
    /// copies it.)
    mutating func setWake(now: Instant) -> Instant? {
        let deadline = max(now, router.nextDeadline)
        guard deadline < wake else { return nil }
        wake = deadline
        return deadline
    }

    /// Which tables are above their limits, and whether entries were not counted. (In place, as above.)
    mutating func excesses(_ limits: RouterLimits) -> [String] {
        var problems: [String] = []
        let sizes = router.sizes
        if sizes.routes > limits.routes { problems.append("\(sizes.routes) routes") }
        if sizes.sources > limits.sources { problems.append("\(sizes.sources) feasibility distances") }
        if sizes.queries > limits.openQueries { problems.append("\(sizes.queries) queries") }
        if sizes.seqnoRequests > limits.openSeqnoRequests { problems.append("\(sizes.seqnoRequests) seqno requests") }
        if sizes.outbox > limits.outbox { problems.append("\(sizes.outbox) messages wait") }
        let counted = SimNode.fates.reduce(0) { $0 + router.counters[$1] }
        if counted != handled { problems.append("\(handled) entries came, \(counted) were counted") }
        return problems
    }

    /// An entry counts in exactly one of these.
    private static let fates: [RouterCounter] = [
        .strangers, .rateExceeded, .neighbourRefused, .hellos, .ihus, .updates, .updatesOutOfOrder, .routeRequests,
        .seqnoRequests,
    ]

    static func key(of number: Int) -> [UInt8] {
        var key = [UInt8](repeating: 0x5A, count: 32)
        for i in 0..<8 { key[i] = UInt8(truncatingIfNeeded: number >> (56 - 8 * i)) }
        return key
    }

    /// Stands for the hash of a key: every node in a /64 of its own.
    static func address(of id: RouterID) -> IPv6Address {
        var number: UInt64 = 0
        for byte in id.key.prefix(8) { number = number << 8 | UInt64(byte) }
        return IPv6Address(high: 0x0400 << 48 | number & 0xFFFF_FFFF_FFFF, low: 0x1234_5678)
    }

    /// The node that owns a prefix.
    static func number(of prefix: Prefix) -> Int {
        Int(truncatingIfNeeded: prefix.address.high & 0xFFFF_FFFF_FFFF)
    }

    static func prefix(of number: Int) -> Prefix {
        Prefix(IPv6Address(high: 0x0400 << 48 | UInt64(number), low: 0), length: 64)
    }
}
