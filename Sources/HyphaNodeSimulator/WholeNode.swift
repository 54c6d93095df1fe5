import HyphaBase
import HyphaControl
import HyphaIdentity
import HyphaPacket
import HyphaRouting

/// A node of a simulated mesh: what stays when it stops, and the machine while it runs.
struct WholeNode {
    let identity: NodeIdentity
    /// Its UDP and its TCP address in the underlay.
    let endpoint: SocketAddress
    var configuration: ControlConfiguration
    let entryMode: SealMode
    /// Seconds that its wall clock is ahead.
    let clockOffset: Int64
    /// What the router wanted kept last.
    var state: RouterState?
    /// Nil while it is down.
    var machine: WholeMachine?
    /// Rises with every start.
    var boot = 0
    /// When it has something to do by itself.
    var deadline = Instant.distantFuture
    /// Until then the thread does not get the processor.
    var controlStalledUntil = Instant.zero
    var workerStalledUntil = Instant.zero
    /// It was told to drain.
    var isDraining = false
    /// Ends of TCP connections, as numbers of pipe and end.
    var pipes: [(pipe: Int, end: Int)] = []
    /// Packets of its host so far.
    var sent = 0

    init(
        identity: NodeIdentity, number: Int, configuration: ControlConfiguration, entryMode: SealMode,
        clockOffset: Int64
    ) {
        self.identity = identity
        endpoint = WholeNode.endpoint(number)
        self.configuration = configuration
        self.entryMode = entryMode
        self.clockOffset = clockOffset
    }

    var address: IPv6Address { identity.address }

    /// The key pair of a node in the mesh of a seed.
    static func identity(_ number: Int, seed: UInt64) -> NodeIdentity? {
        var random = Seed(seed &* 1_000_003 &+ UInt64(number))
        return NodeIdentity(secret: (0..<32).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    }

    /// 10.0.0.1:9651 for number 0, and so on.
    static func endpoint(_ number: Int) -> SocketAddress {
        SocketAddress(address: .mapped(ipv4: 0x0A00_0001 &+ UInt32(truncatingIfNeeded: number)), port: 9_651)
    }

    /// The address alone, as a configuration has it.
    static func host(_ number: Int) -> String {
        let text = "\(endpoint(number))"
        return String(text.prefix { $0 != ":" })
    }

    /// The node at an underlay address.
    static func number(at address: SocketAddress) -> Int? {
        guard let ipv4 = address.address.mappedIPv4, ipv4 > 0x0A00_0000, address.port == 9_651 else { return nil }
        return Int(ipv4 - 0x0A00_0001)
    }
}
