import CBench
import Glibc

/// What one benchmark starts and makes, so that all of it ends with `close`: children, namespaces, files.
///
/// SIGINT, SIGTERM and SIGHUP end the waits with `BenchError.interrupted` while it is open. Not thread-safe.
final class Testbed {
    /// Priority of everything that is measured.
    static let niceness: Int32 = -10

    let directory: TemporaryDirectory
    private let interrupt: Int32
    private var children: [ChildProcess] = []
    private var namespaces: [Namespace] = []

    init() throws(BenchError) {
        Glibc.signal(SIGPIPE, SIG_IGN)
        directory = try TemporaryDirectory()
        interrupt = cbench_interrupt_open()
    }

    /// Ends what runs and removes what was made; nothing works after it.
    func close() {
        for child in children.reversed() { child.stop() }
        children = []
        for namespace in namespaces { Glibc.close(namespace.descriptor) }
        namespaces = []
        directory.remove()
        cbench_interrupt_close(interrupt)
    }

    func makeNamespace(_ name: String) throws(BenchError) -> Namespace {
        let namespace = try Namespace(name: name)
        namespaces.append(namespace)
        return namespace
    }

    /// Starts a child that ends with this testbed at the latest; without a namespace in that of the benchmark.
    func spawn(
        _ name: String, _ arguments: [String], in namespace: Namespace? = nil, cpus: UInt64 = 0,
        niceness: Int32 = Testbed.niceness, runsFirst: Bool = false
    ) throws(BenchError) -> ChildProcess {
        let child = try ChildProcess(
            name: name, arguments, network: namespace?.descriptor ?? -1, cpus: cpus, niceness: niceness,
            runsFirst: runsFirst, interrupt: interrupt)
        children.append(child)
        return child
    }

    /// Ends a child before the rest.
    func stop(_ child: ChildProcess) {
        child.stop()
        children.removeAll { $0 === child }
    }

    /// Runs a command to its end and returns its output; throws when its exit code is not zero.
    @discardableResult
    func run(
        _ arguments: [String], in namespace: Namespace, cpus: UInt64 = 0, niceness: Int32 = 0,
        within seconds: Double = 10
    ) throws(BenchError) -> String {
        let child = try spawn(arguments[0], arguments, in: namespace, cpus: cpus, niceness: niceness)
        defer { stop(child) }
        child.closeInput()
        let output = try child.readAll(within: seconds)
        guard let status = child.wait(within: 1), status == 0 else {
            let command = arguments.joined(separator: " ")
            let said = [child.errorText, output].first { !$0.isEmpty } ?? ""
            throw .failed("\"\(command)\" in namespace \(namespace.name) failed: \(said)")
        }
        return output
    }

    /// Waits, or throws when a signal comes.
    func sleep(_ seconds: Double) throws(BenchError) {
        var polled = pollfd(fd: interrupt, events: Int16(POLLIN), revents: 0)
        if poll(&polled, 1, Int32(seconds * 1_000)) > 0 { throw .interrupted }
    }

    /// The path of a program: as it is when it has a slash, else looked up in PATH; nil when there is none.
    static func find(_ program: String) -> String? {
        if program.contains("/") { return access(program, X_OK) == 0 ? program : nil }
        guard let value = getenv("PATH") else { return nil }
        for directory in String(cString: value).split(separator: ":") {
            let path = "\(directory)/\(program)"
            if access(path, X_OK) == 0 { return path }
        }
        return nil
    }

    /// This program, to start it again as sender or sink.
    static let ownPath = "/proc/self/exe"
}
