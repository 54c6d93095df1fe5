import Foundation
import Glibc
import Synchronization

/// Five nodes in network namespaces of their own, in a ring: each reaches its two neighbours and nothing else, and knows
/// of nobody else. Nodes 0 and 2 have a TUN.
///
/// ```
/// 0 10.77.0.1 ---- 10.77.0.2 1 10.77.1.1 ---- 10.77.1.2 2 ... 4 10.77.4.1 ---- 10.77.4.2 0
/// ```
final class RingTopology: Sendable {
    static let count = 5
    static let ends = (source: 0, target: 2)

    let identities: [Topology.Identity]
    private let folder: URL
    private let name: String
    private let running = Mutex<[Int: RunningProgram]>([:])
    private static let made = Atomic<Int>(0)

    init() throws {
        try Topology.removeLeftovers()
        let number = RingTopology.made.add(1, ordering: .relaxed).newValue
        let name = "\(Topology.prefix)\(getpid())-ring\(number)"
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        self.name = name
        self.folder = folder
        do {
            try RingTopology.makeNamespaces(name, folder)
            identities = try (0..<RingTopology.count).map {
                try Topology.makeIdentity(folder.appendingPathComponent("\($0).key").path, folder)
            }
        } catch {
            RingTopology.remove(name, folder)
            throw error
        }
    }

    deinit { tearDown() }

    /// Ends all programs and removes namespaces and files. May be called again.
    func tearDown() {
        for program in running.withLock({ Array($0.values) }) { program.stop() }
        RingTopology.remove(name, folder)
    }

    private static func space(_ name: String, _ node: Int) -> String { "\(name)-\(node)" }

    private static func next(_ node: Int) -> Int { (node + 1) % count }
    private static func previous(_ node: Int) -> Int { (node + count - 1) % count }

    private static func makeNamespaces(_ name: String, _ folder: URL) throws {
        func ip(_ words: String) throws {
            try Command.need(["ip"] + words.split(separator: " ").map(String.init), folder: folder)
        }
        for node in 0..<count {
            try ip("netns add \(space(name, node))")
            try ip("-n \(space(name, node)) link set lo up")
        }
        for node in 0..<count {
            let (here, there) = (space(name, node), space(name, next(node)))
            try ip("-n \(here) link add to-next type veth peer name to-last netns \(there)")
            try ip("-n \(here) addr add 10.77.\(node).1/24 dev to-next")
            try ip("-n \(there) addr add 10.77.\(node).2/24 dev to-last")
            try ip("-n \(here) link set to-next up")
            try ip("-n \(there) link set to-last up")
        }
    }

    private static func remove(_ name: String, _ folder: URL) {
        for node in 0..<count { Topology.removeNamespace(space(name, node)) }
        try? FileManager.default.removeItem(at: folder)
    }

    // MARK: - Nodes

    /// Starts a node without waiting. It has the next one in its configuration and the one before on its command line.
    func launch(_ node: Int) throws {
        let (next, previous) = (RingTopology.next(node), RingTopology.previous(node))
        let hasTun = node == RingTopology.ends.source || node == RingTopology.ends.target
        let text = """
            [node]
            key_file = "\(identities[node].keyFile)"
            [tuning]
            pin = false
            [tun]
            enabled = \(hasTun)
            [discovery]
            enabled = false
            [[peer]]
            uri = "hl1://\(identities[next].key)@10.77.\(node).2:9651"

            """
        let file = folder.appendingPathComponent("\(node).toml")
        try Data(text.utf8).write(to: file)
        let program = try RunningProgram(
            [
                SystemRequirements.hypha, "run", "--config", file.path, "--peers",
                "hl1://\(identities[previous].key)@10.77.\(previous).1:9651",
            ], in: RingTopology.space(name, node), folder: folder)
        running.withLock { $0[node] = program }
    }

    /// Waits until a node says that it is ready.
    func awaitReady(_ node: Int) throws {
        _ = try program(node).line(containing: "ready address=", within: 10)
    }

    func program(_ node: Int) throws -> RunningProgram {
        guard let program = running.withLock({ $0[node] }) else { throw SystemTestError("\(node) does not run") }
        return program
    }

    /// What a node counts at this moment.
    func report(_ node: Int) throws -> NodeReport {
        let program = try program(node)
        let seen = program.output.count
        program.signal(SIGUSR1)
        return try NodeReport(try program.line(containing: "{", within: 5, skipping: (seen, .max)))
    }

    /// A ping from one end to the other that does not stop by itself, 20 a second, with the time of every answer.
    func ping() throws -> RunningProgram {
        try RunningProgram(
            ["ping", "-6", "-D", "-i", "0.05", identities[RingTopology.ends.target].address],
            in: RingTopology.space(name, RingTopology.ends.source), folder: folder)
    }

    /// What all nodes said, for a failure.
    var logs: String {
        (0..<RingTopology.count).map { "node \($0): \((try? program($0).errors) ?? "")" }.joined(separator: "\n")
    }

    // MARK: - State

    /// The random part of a node's router id, as its state file has it.
    func routerRandom(_ node: Int) throws -> String {
        let text = try String(contentsOfFile: identities[node].keyFile + ".state", encoding: .utf8)
        let words = text.split(whereSeparator: \.isWhitespace)
        guard let place = words.firstIndex(of: "router"), place + 2 < words.count else {
            throw SystemTestError("no router in \(text)")
        }
        return String(words[place + 2])
    }
}
