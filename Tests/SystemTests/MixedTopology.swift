import Foundation
import Glibc
import HyphaBase
import StockModel
import Synchronization

/// Stock and hypha nodes in network namespaces of their own. Each link is a veth pair: link 3 is 10.88.3.1 at its dialler
/// and 10.88.3.2 at its listener, or fd00:88:3::1 and ::2.
final class MixedTopology: Sendable {
    static let port = 9_651

    let nodes: [MixedNode]
    let links: [MixedLink]
    let identities: [Topology.Identity]
    private let folder: URL
    private let name: String
    private let running = Mutex<[Int: RunningProgram]>([:])
    private static let made = Atomic<Int>(0)

    init(_ nodes: [MixedNode], links: [MixedLink]) throws {
        try Topology.removeLeftovers()
        let number = MixedTopology.made.add(1, ordering: .relaxed).newValue
        let name = "\(Topology.prefix)\(getpid())-mixed\(number)"
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        self.nodes = nodes
        self.links = links
        self.name = name
        self.folder = folder
        do {
            try MixedTopology.makeNamespaces(name, folder, nodes.count, links)
            identities = try nodes.indices.map {
                try Topology.makeIdentity(folder.appendingPathComponent("\($0).key").path, folder)
            }
        } catch {
            MixedTopology.remove(name, folder, nodes.count)
            throw error
        }
    }

    /// A row of nodes that all run: the middle ones listen, so the ends dial towards the middle.
    static func chain(_ nodes: [MixedNode], _ transport: MixedLink.Transport = .natural, isIPv6: Bool = false) throws
        -> MixedTopology
    {
        let links = (1..<nodes.count).map { i in
            i <= nodes.count / 2
                ? MixedLink(i - 1, i, transport, isIPv6: isIPv6) : MixedLink(i, i - 1, transport, isIPv6: isIPv6)
        }
        let topology = try MixedTopology(nodes, links: links)
        try topology.startAll()
        return topology
    }

    deinit { tearDown() }

    /// Ends all programs and removes namespaces and files. May be called again.
    func tearDown() {
        for program in running.withLock({ Array($0.values) }) { program.stop() }
        MixedTopology.remove(name, folder, nodes.count)
    }

    // MARK: - The wires

    private static func space(_ name: String, _ node: Int) -> String { "\(name)-\(node)" }

    private static func ip(_ words: String, _ folder: URL) throws {
        try Command.need(["ip"] + words.split(separator: " ").map(String.init), folder: folder)
    }

    private static func makeNamespaces(_ name: String, _ folder: URL, _ count: Int, _ links: [MixedLink]) throws {
        for node in 0..<count {
            try ip("netns add \(space(name, node))", folder)
            try ip("-n \(space(name, node)) link set lo up", folder)
        }
        for (k, link) in links.enumerated() {
            let (here, there) = (space(name, link.dialler), space(name, link.listener))
            try ip("-n \(here) link add link\(k) type veth peer name link\(k) netns \(there)", folder)
            for (space, end) in [(here, 1), (there, 2)] {
                let address = host(k, end, link.isIPv6) + (link.isIPv6 ? "/64 nodad" : "/24")
                try ip("-n \(space) addr add dev link\(k) \(address)", folder)
                try ip("-n \(space) link set link\(k) up", folder)
            }
        }
    }

    private static func host(_ link: Int, _ end: Int, _ isIPv6: Bool) -> String {
        isIPv6 ? "fd00:88:\(link)::\(end)" : "10.88.\(link).\(end)"
    }

    private static func remove(_ name: String, _ folder: URL, _ count: Int) {
        for node in 0..<count { Topology.removeNamespace(space(name, node)) }
        try? FileManager.default.removeItem(at: folder)
    }

    /// Takes one end of a link down or up, which closes no connection: who is connected over it hears nothing more.
    func setLink(_ link: Int, up: Bool) throws {
        let space = space(links[link].listener)
        try MixedTopology.ip("-n \(space) link set link\(link) \(up ? "up" : "down")", folder)
        // The kernel takes IPv6 addresses away from a link that goes down.
        guard up, links[link].isIPv6 else { return }
        let address = MixedTopology.host(link, 2, true)
        _ = try Command.run(
            ["ip", "-n", space, "addr", "replace", "\(address)/64", "dev", "link\(link)", "nodad"], folder: folder)
    }

    /// Where the listener of a link is reached, as "10.88.0.2:9651".
    func endpoint(_ link: Int) -> String {
        let host = MixedTopology.host(link, 2, links[link].isIPv6)
        return links[link].isIPv6 ? "[\(host)]:\(MixedTopology.port)" : "\(host):\(MixedTopology.port)"
    }

    /// What the dialler of a link has in its list of peers.
    func uri(_ link: Int) -> String {
        let ends = links[link]
        let isHL1 = ends.transport == .natural && nodes[ends.dialler].isHypha && nodes[ends.listener].isHypha
        return isHL1 ? "hl1://\(identities[ends.listener].key)@\(endpoint(link))" : "tcp://\(endpoint(link))"
    }

    // MARK: - Nodes

    func space(_ node: Int) -> String { MixedTopology.space(name, node) }

    func address(_ node: Int) -> String { identities[node].address }

    /// The address that errors of a node come from.
    func networkAddress(_ node: Int) -> String {
        IPv6Address(address(node)).map { "\(IPv6Address(high: $0.high, low: 0))" } ?? ""
    }

    /// Starts every node, those that are dialled first, and waits until all say that they are ready.
    func startAll() throws {
        var waiting = Array(nodes.indices)
        while !waiting.isEmpty {
            let place =
                waiting.firstIndex { node in
                    !links.contains { $0.dialler == node && $0.transport != .none && waiting.contains($0.listener) }
                } ?? 0
            try start(waiting.remove(at: place))
        }
    }

    /// Starts a node and waits until it says that it is ready.
    @discardableResult
    func start(_ node: Int) throws -> RunningProgram {
        let peers = links.indices.filter { links[$0].dialler == node && links[$0].transport != .none }.map(uri)
        var words: [String]
        switch nodes[node].program {
        case .stock(let arguments):
            words = [SystemRequirements.stockNode, "--key-file", identities[node].keyFile] + arguments
            if !nodes[node].hasTun { words.append("--no-tun") }
        case .hypha(let arguments, let configuration):
            let file = folder.appendingPathComponent("\(node).toml")
            let text = """
                [node]
                key_file = "\(identities[node].keyFile)"
                [tuning]
                pin = false
                [tun]
                enabled = \(nodes[node].hasTun)
                [discovery]
                enabled = \(nodes[node].isDiscovering)

                """
            try Data((text + configuration).utf8).write(to: file)
            words = [SystemRequirements.hypha, "run", "--config", file.path] + arguments
        }
        if !peers.isEmpty { words += ["--peers"] + peers }
        let program = try RunningProgram(words, in: space(node), folder: folder)
        running.withLock { $0[node] = program }
        let line = try program.line(containing: "ready address=", within: 10)
        guard line.contains("address=\(address(node)) ") else { throw SystemTestError("another address: \(line)") }
        return program
    }

    func program(_ node: Int) throws -> RunningProgram {
        guard let program = running.withLock({ $0[node] }) else { throw SystemTestError("\(node) does not run") }
        return program
    }

    /// Runs a program in a node's namespace to its end.
    func run(_ words: [String], on node: Int, within seconds: Double = 20) throws -> Command {
        try Command.run(words, in: space(node), folder: folder, within: seconds)
    }

    func background(_ words: [String], on node: Int) throws -> RunningProgram {
        try RunningProgram(words, in: space(node), folder: folder)
    }

    /// What all nodes said, for a failure.
    var logs: String {
        nodes.indices.map { "node \($0): \((try? program($0).errors) ?? "")" }.joined(separator: "\n")
    }

    // MARK: - Questions

    /// Waits until a ping is answered; returns the time that took in seconds.
    @discardableResult
    func awaitPing(from: Int, to: Int, within seconds: Double = 10) throws -> Double {
        let start = Clock.now
        let answered: Bool? = try Clock.wait(seconds) {
            let ping = try run(["ping", "-6", "-c", "1", "-W", "1", address(to)], on: from)
            return ping.status == 0 ? true : nil
        }
        guard answered == true else { throw SystemTestError("no answer to ping within \(seconds) s\n\(logs)") }
        return Clock.now - start
    }

    /// The addresses that a traceroute lists, "*" where nobody answered.
    func hops(from: Int, to: Int) throws -> [String] {
        let words = ["traceroute", "-6", "-n", "-q", "1", "-w", "2", "-m", "10", address(to)]
        return try run(words, on: from, within: 40).output.split(separator: "\n").dropFirst().map { line in
            line.split(separator: " ").dropFirst().first.map(String.init) ?? ""
        }
    }

    /// Bytes that iperf3 moves over TCP from one node to another.
    func iperf(from: Int, to: Int, seconds: Int, _ words: [String] = []) throws -> Int {
        let server = try background(["iperf3", "--server", "--one-off", "--forceflush"], on: to)
        defer { server.stop() }
        _ = try server.line(containing: "Server listening", within: 5)
        let client = try run(
            ["iperf3", "--client", address(to), "--time", "\(seconds)", "--json"] + words, on: from,
            within: Double(seconds) + 20)
        let report = try JSONSerialization.jsonObject(with: Data(client.output.utf8)) as? [String: Any]
        let sum = (report?["end"] as? [String: Any])?["sum_received"] as? [String: Any]
        guard let bytes = sum?["bytes"] as? Int else { throw SystemTestError("\(client.output)\(client.errors)") }
        return bytes
    }

    /// The line that a node prints on SIGUSR1.
    private func reportLine(_ node: Int) throws -> String {
        let program = try program(node)
        let seen = program.output.count
        program.signal(SIGUSR1)
        return try program.line(containing: "{", within: 5, skipping: (seen, .max))
    }

    /// What a hypha node counts.
    func hyphaReport(_ node: Int) throws -> NodeReport { try NodeReport(reportLine(node)) }

    /// What a stock node counts, and what it found odd in its neighbours.
    func stockReport(_ node: Int) throws -> StockReport {
        try JSONDecoder().decode(StockReport.self, from: Data(reportLine(node).utf8))
    }
}
