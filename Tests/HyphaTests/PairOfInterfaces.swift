import CKernel
import Glibc
import HyphaRim
import Synchronization

/// A network namespace with pairs of connected interfaces, for tests that need one: the host's network is never touched.
enum PairOfInterfaces {
    struct Failure: Error {
        let step: String
    }

    private static let ipProgram: String? = ["/usr/sbin/ip", "/sbin/ip", "/bin/ip"].first { (path: String) in
        access(path, X_OK) == 0
    }

    /// True when tests may make namespaces.
    static let isPossible = geteuid() == 0 && ipProgram != nil

    /// Runs `body` on a thread of its own in a new namespace in which the ends of each pair reach each other. The ends have
    /// the addresses fe80::1, fe80::2 and so on. The namespace ends with the thread.
    static func with<Value: Sendable>(
        _ pairs: [(String, String)], _ body: @escaping @Sendable () throws -> Value
    ) throws -> Value {
        let outcome = Outcome<Value>()
        let thread = try Threads.spawn(name: "isolated", state: outcome) { outcome in
            let result = Result<Value, any Error> {
                guard chy_unshare_network() == 0 else { throw Failure(step: "no network namespace") }
                try make(pairs)
                return try body()
            }
            outcome.result.withLock { $0 = result }
        }
        thread.join()
        return try outcome.result.withLock { result in
            guard let result else { throw Failure(step: "no result") }
            return try result.get()
        }
    }

    private static func make(_ pairs: [(String, String)]) throws {
        for (a, b) in pairs { try ip("link add \(a) type veth peer name \(b)") }
        for (i, name) in pairs.flatMap({ [$0.0, $0.1] }).enumerated() {
            try ip("link set \(name) addrgenmode none")
            try ip("link set \(name) up")
            try ip("addr add fe80::\(i + 1)/64 dev \(name) nodad")
        }
        guard let (first, _) = pairs.first else { return }
        // The kernel notices a carrier within a second, and drops what is sent before.
        var options = DiscoverySocket.Options()
        options.port = 9
        let probe = try DiscoverySocket.open(options)
        for _ in 0..<500 {
            if probe.send([0]).sent == 2 * pairs.count { return }
            usleep(10_000)
        }
        throw Failure(step: "no carrier on \(first)")
    }

    private static func ip(_ words: String) throws {
        guard let program = ipProgram else { throw Failure(step: "no program ip") }
        var list: [UnsafeMutablePointer<CChar>?] = ([program] + words.split(separator: " ").map(String.init)).map {
            strdup($0)
        }
        list.append(nil)
        defer { for text in list { free(text) } }
        var pid: pid_t = 0
        guard posix_spawn(&pid, program, nil, nil, list, environ) == 0 else { throw Failure(step: words) }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        guard status == 0 else { throw Failure(step: words) }
    }

    /// Brings a value from one thread to another.
    private final class Outcome<Value: Sendable>: Sendable {
        let result = Mutex<Result<Value, any Error>?>(nil)
    }
}
