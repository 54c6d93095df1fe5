import CKernel
import Glibc
import Synchronization

@testable import HyphaRim

/// Runs `body` on a thread of its own inside a new network namespace, so that the host's network is never touched.
/// The namespace ends with the thread.
func isolated<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
    let outcome = Outcome<Value>()
    let thread = try Threads.spawn(name: "isolated", state: outcome) { outcome in
        let code = chy_unshare_network()
        let result = Result<Value, any Error> {
            guard code == 0 else { throw NoNamespace(code: code) }
            return try body()
        }
        outcome.result.withLock { $0 = result }
    }
    thread.join()
    return try outcome.result.withLock { result in
        guard let result else { throw NoNamespace(code: 0) }
        return try result.get()
    }
}

/// Brings a value from one thread to another.
private final class Outcome<Value: Sendable>: Sendable {
    let result = Mutex<Result<Value, any Error>?>(nil)
}

struct NoNamespace: Error {
    let code: Int32
}

/// True when tests may make network namespaces and TUN devices.
let canIsolate = geteuid() == 0 && access("/dev/net/tun", F_OK) == 0

/// The `ip` program of iproute2, nil when it is not installed.
let ipProgram: String? = ["/usr/sbin/ip", "/sbin/ip", "/bin/ip"].first { (path: String) in access(path, X_OK) == 0 }

/// Runs `ip` in the calling thread's namespace; true when it succeeded.
func ip(_ arguments: String...) -> Bool {
    guard let program = ipProgram else { return false }
    var list: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
    list.append(nil)
    defer { for text in list { free(text) } }
    var pid: pid_t = 0
    guard posix_spawn(&pid, program, nil, nil, list, environ) == 0 else { return false }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    return status == 0
}
