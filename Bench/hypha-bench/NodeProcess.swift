import CBench
import Glibc
import HyphaBase
import HyphaIdentity

/// A `hypha run` under test: its configuration, its process, its counters and its CPU time.
final class NodeProcess {
    /// UDP port that nodes under test listen on.
    static let port = 9_651

    let identity: NodeIdentity
    private let child: ChildProcess
    private let label: String

    /// A key pair for one run.
    static func makeSecret() -> [UInt8] { BenchLink.randomBytes(32) }

    /// Starts a node and waits until it forwards. `configuration` follows the `[node]` section, which names the key.
    /// `runsFirst`: before ordinary programs on its cores.
    init(
        _ testbed: Testbed, binary: String, label: String, secret: [UInt8], configuration: String,
        in namespace: Namespace, cpus: UInt64, runsFirst: Bool = false
    ) throws(BenchError) {
        guard let identity = NodeIdentity(secret: secret) else { throw .failed("a secret key has 32 bytes") }
        self.identity = identity
        self.label = label
        let keyFile = try testbed.directory.write("\(label).key", secret)
        let text = "[node]\nkey_file = \"\(keyFile)\"\n[discovery]\nenabled = false\n\(configuration)"
        let file = try testbed.directory.write("\(label).toml", Array(text.utf8))
        child = try testbed.spawn(
            "hypha \(label)", [binary, "run", "--config", file], in: namespace, cpus: cpus,
            runsFirst: runsFirst)
        while true {
            guard let line = try child.readLine(within: 10) else {
                throw .failed("hypha \(label) ended before it was ready\(child.errorNote)")
            }
            if line.hasPrefix("ready") { return }
        }
    }

    /// All counters now; the node answers SIGUSR1 with one line of JSON.
    func counters() throws(BenchError) -> NodeCounters {
        child.signal(SIGUSR1)
        while true {
            guard let line = try child.readLine(within: 5) else {
                throw .failed("hypha \(label) ended while it was measured\(child.errorNote)")
            }
            if line.hasPrefix("{") { return try NodeCounters(parsing: line) }
        }
    }

    /// `error` with what the node says about it, when that is something or when it ended.
    func explain(_ error: BenchError) -> BenchError {
        guard case .failed(let text) = error else { return error }
        let ended = child.wait(within: 0).map { "; hypha \(label) ended with exit code \($0)" } ?? ""
        return .failed(text + ended + child.errorNote)
    }

    /// CPU time so far.
    var usage: ProcessorUsage {
        var sum = ProcessorUsage()
        guard let directory = opendir("/proc/\(child.pid)/task") else { return sum }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
                field.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name.first?.isNumber == true,
                let text = NodeProcess.read("/proc/\(child.pid)/task/\(name)/schedstat")
            else { continue }
            let numbers = text.split(separator: " ").map { UInt64($0) ?? 0 }
            guard numbers.count >= 2 else { continue }
            sum.ran &+= numbers[0]
            sum.waited &+= numbers[1]
        }
        return sum
    }

    /// Messages (datagrams or whole trains) that the kernel dropped because a socket in the node's namespace was full.
    var socketDrops: UInt64 {
        guard let text = NodeProcess.read("/proc/\(child.pid)/net/snmp6") else { return 0 }
        for line in text.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            if words.count == 2, words[0] == "Udp6RcvbufErrors" { return UInt64(words[1]) ?? 0 }
        }
        return 0
    }

    private static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
}
