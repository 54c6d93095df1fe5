import Foundation
import Glibc
import Synchronization

/// Three nodes in network namespaces of their own: A and B reach R and nothing else, R is a public peer without a TUN.
///
/// ```
/// A fd00:a::1 ---- fd00:a::2 R 192.0.2.2 ---- 192.0.2.1 B
/// ```
final class Topology: Sendable {
    enum Node: String, CaseIterable, Sendable { case a, r, b }

    struct Identity: Sendable {
        let key: String
        let address: String
        let keyFile: String
    }

    /// Test files and configurations; goes with the topology.
    let folder: URL
    /// Namespaces of A, R and B begin with this.
    let name: String
    let identities: [Node: Identity]
    private let running = Mutex<[Node: RunningProgram]>([:])
    private static let made = Atomic<Int>(0)
    static let prefix = "hypha-test-"

    init() throws {
        try Topology.removeLeftovers()
        let number = Topology.made.add(1, ordering: .relaxed).newValue
        let name = "\(Topology.prefix)\(getpid())-\(number)"
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        self.name = name
        self.folder = folder
        var identities: [Node: Identity] = [:]
        do {
            try Topology.makeNamespaces(name, folder)
            for node in Node.allCases {
                identities[node] = try Topology.makeIdentity(
                    folder.appendingPathComponent("\(node.rawValue).key").path, folder)
            }
        } catch {
            Topology.remove(name, folder)
            throw error
        }
        self.identities = identities
        // From here on `deinit` removes what is there.
        try Data(configuration(of: .a, relay: "[fd00:a::2]", other: .b).utf8).write(to: configurationFile(.a))
        try Data(configuration(of: .b, relay: "192.0.2.2", other: .a).utf8).write(to: configurationFile(.b))
        try Data(configuration(of: .r).utf8).write(to: configurationFile(.r))
    }

    deinit { tearDown() }

    /// Ends all programs and removes namespaces and files. May be called again.
    func tearDown() {
        for program in running.withLock({ Array($0.values) }) { program.stop() }
        Topology.remove(name, folder)
    }

    // MARK: - Making and removing

    private static func space(_ name: String, _ node: Node) -> String { "\(name)-\(node.rawValue)" }

    private static func makeNamespaces(_ name: String, _ folder: URL) throws {
        func ip(_ words: String) throws {
            try Command.need(["ip"] + words.split(separator: " ").map(String.init), folder: folder)
        }
        let (a, r, b) = (space(name, .a), space(name, .r), space(name, .b))
        for space in [a, r, b] {
            try ip("netns add \(space)")
            try ip("-n \(space) link set lo up")
        }
        try ip("-n \(a) link add to-r type veth peer name to-a netns \(r)")
        try ip("-n \(b) link add to-r type veth peer name to-b netns \(r)")
        try ip("-n \(a) addr add fd00:a::1/64 dev to-r nodad")
        try ip("-n \(r) addr add fd00:a::2/64 dev to-a nodad")
        try ip("-n \(r) addr add 192.0.2.2/24 dev to-b")
        try ip("-n \(b) addr add 192.0.2.1/24 dev to-r")
        for (space, link) in [(a, "to-r"), (r, "to-a"), (r, "to-b"), (b, "to-r")] {
            try ip("-n \(space) link set \(link) up")
        }
    }

    private static func remove(_ name: String, _ folder: URL) {
        for node in Node.allCases { removeNamespace(space(name, node)) }
        try? FileManager.default.removeItem(at: folder)
    }

    /// Ends what still runs in a namespace of these tests, then the namespace with its interfaces.
    static func removeNamespace(_ space: String) {
        let scratch = FileManager.default.temporaryDirectory
        let pids = (try? Command.run(["ip", "netns", "pids", space], folder: scratch).output) ?? ""
        for pid in pids.split(separator: "\n").compactMap({ pid_t($0) }) where pid > 1 { kill(pid, SIGKILL) }
        _ = try? Command.run(["ip", "netns", "del", space], folder: scratch)
    }

    /// Namespaces and files that a run of these tests left behind when it was killed.
    static func removeLeftovers() throws {
        let spaces = (try? FileManager.default.contentsOfDirectory(atPath: "/run/netns")) ?? []
        for space in spaces where isLeftOver(space) { removeNamespace(space) }
        let scratch = FileManager.default.temporaryDirectory
        for name in try FileManager.default.contentsOfDirectory(atPath: scratch.path) where isLeftOver(name) {
            try? FileManager.default.removeItem(at: scratch.appendingPathComponent(name))
        }
    }

    /// Whether a name is that of a topology whose process has ended.
    private static func isLeftOver(_ name: String) -> Bool {
        guard name.hasPrefix(prefix), let owner = name.dropFirst(prefix.count).split(separator: "-").first,
            let pid = pid_t(owner)
        else { return false }
        return kill(pid, 0) != 0 && errno == ESRCH
    }

    static func makeIdentity(_ path: String, _ folder: URL) throws -> Identity {
        try Command.need([SystemRequirements.hypha, "generate-keys", "--key-file", path], folder: folder)
        let text = try Command.need([SystemRequirements.hypha, "inspect", "--key-file", path], folder: folder)
        func field(_ name: String) throws -> String {
            let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
            guard let line else { throw SystemTestError("no \"\(name)\" in \(text)") }
            return String(line.dropFirst(name.count))
        }
        return Identity(key: try field("Public key: "), address: try field("Address: "), keyFile: path)
    }

    // MARK: - Nodes

    func space(_ node: Node) -> String { Topology.space(name, node) }

    func address(_ node: Node) -> String { identities[node]?.address ?? "" }

    func key(_ node: Node) -> String { identities[node]?.key ?? "" }

    /// Ends the nodes and starts them again with `lines` added to their configurations.
    func restart(_ nodes: [Node], adding lines: String) throws {
        for node in nodes {
            try program(node).stop()
            let text = try String(contentsOf: configurationFile(node), encoding: .utf8)
            try Data((text + lines).utf8).write(to: configurationFile(node))
            defer { try? Data(text.utf8).write(to: configurationFile(node)) }
            try start(node)
        }
        try awaitPing()
    }

    func configurationFile(_ node: Node) -> URL { folder.appendingPathComponent("\(node.rawValue).toml") }

    /// A leaf dials R at `relay` and reaches `other` through it; R dials nobody.
    func configuration(of node: Node, relay: String? = nil, other: Node? = nil) -> String {
        var text = "[node]\nkey_file = \"\(identities[node]?.keyFile ?? "")\"\n"
        // All workers on one core would measure that core.
        text += "[tuning]\npin = false\n[tun]\nenabled = \(relay != nil)\n"
        // The nodes of a wire would also find each other over TCP.
        text += "[discovery]\nenabled = false\n"
        if let relay { text += "[[peer]]\nuri = \"hl1://\(key(.r))@\(relay):9651\"\nlabel = \"R\"\n" }
        if let other { text += "[[route]]\nkey = \"\(key(other))\"\nvia = \"\(key(.r))\"\n" }
        return text
    }

    func program(_ node: Node) throws -> RunningProgram {
        guard let program = running.withLock({ $0[node] }) else { throw SystemTestError("\(node) does not run") }
        return program
    }

    /// Starts a node and waits until it says that it is ready.
    @discardableResult
    func start(_ node: Node) throws -> RunningProgram {
        let program = try RunningProgram(
            [SystemRequirements.hypha, "run", "--config", configurationFile(node).path], in: space(node), folder: folder
        )
        running.withLock { $0[node] = program }
        let line = try program.line(containing: "ready address=", within: 10)
        guard line.contains("address=\(address(node)) ") else { throw SystemTestError("another address: \(line)") }
        return program
    }

    /// Runs a program in a node's namespace to its end.
    func run(_ words: [String], on node: Node, within seconds: Double = 20) throws -> Command {
        try Command.run(words, in: space(node), folder: folder, within: seconds)
    }

    func background(_ words: [String], on node: Node) throws -> RunningProgram {
        try RunningProgram(words, in: space(node), folder: folder)
    }

    /// Waits until a ping from A to B is answered.
    func awaitPing(within seconds: Double = 10) throws {
        let answered: Bool? = try Clock.wait(seconds) {
            let ping = try run(["ping", "-6", "-c", "1", "-W", "1", address(.b)], on: .a)
            return ping.status == 0 ? true : nil
        }
        guard answered == true else {
            let logs = try Node.allCases.map { "\($0): \(try program($0).errors)" }.joined(separator: "\n")
            throw SystemTestError("no answer to ping within \(seconds) s\n\(logs)")
        }
    }

    /// What a node counts at this moment.
    func report(_ node: Node) throws -> NodeReport {
        let program = try program(node)
        let seen = program.output.count
        program.signal(SIGUSR1)
        return try NodeReport(try program.line(containing: "{", within: 5, skipping: (seen, .max)))
    }

    /// Asks until what a node counts fulfils a condition, and returns the last report.
    func report(_ node: Node, within seconds: Double, until condition: (NodeReport) -> Bool) throws -> NodeReport {
        var last = try report(node)
        let met: Bool? = try Clock.wait(seconds) {
            if condition(last) { return true }
            Clock.pause(0.1)
            last = try report(node)
            return nil
        }
        _ = met
        return last
    }
}
