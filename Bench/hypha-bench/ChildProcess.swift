import CBench
import Glibc

/// A running child with pipes on its input and output; its error text goes to a file without a name.
///
/// The kernel ends it when the benchmark dies, however that happens. Not thread-safe.
final class ChildProcess {
    /// What it is called in messages.
    let name: String
    let pid: pid_t
    private var input: Int32
    private let output: Int32
    private let errors: Int32
    private let interrupt: Int32
    private var received: [UInt8] = []
    private var status: Int32?

    /// Starts `arguments`. `network`: a namespace descriptor or -1; `cpus`: bit set of cores, 0 for all;
    /// `runsFirst`: before ordinary programs, or not at all; `interrupt`: a descriptor that ends every wait when it becomes
    /// readable, or -1.
    init(
        name: String, _ arguments: [String], network: Int32 = -1, cpus: UInt64 = 0, niceness: Int32 = 0,
        runsFirst: Bool = false, interrupt: Int32
    ) throws(BenchError) {
        self.name = name
        self.interrupt = interrupt
        var inputPipe: [Int32] = [-1, -1]
        var outputPipe: [Int32] = [-1, -1]
        let errorFile = try ChildProcess.unnamedFile()
        errors = errorFile
        guard pipe(&inputPipe) == 0, pipe(&outputPipe) == 0 else { throw .system("cannot make a pipe for \(name)") }
        input = inputPipe[1]
        output = outputPipe[0]
        for descriptor in [input, output, errors] { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }

        var strings: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        strings.append(nil)
        defer { for string in strings { free(string) } }
        let constant = strings.map { UnsafePointer<CChar>($0) }
        pid = constant.withUnsafeBufferPointer { list in
            var child = cbench_child(
                arguments: list.baseAddress, network: network, cpus: cpus, niceness: niceness, input: inputPipe[0],
                output: outputPipe[1], errors: errorFile, runs_first: runsFirst ? 1 : 0, death_signal: SIGKILL)
            return cbench_spawn(&child)
        }
        close(inputPipe[0])
        close(outputPipe[1])
        guard pid > 0 else { throw .system("cannot start \(name)") }
    }

    deinit {
        if input >= 0 { close(input) }
        close(output)
        close(errors)
    }

    /// A file for error text that is gone with its descriptor.
    private static func unnamedFile() throws(BenchError) -> Int32 {
        var path = TemporaryDirectory.template
        let descriptor = mkstemp(&path)
        guard descriptor >= 0 else { throw .system("cannot make a file in \(TemporaryDirectory.parent)") }
        unlink(path)
        return descriptor
    }

    /// Writes a line to the child's input.
    func send(_ line: String) throws(BenchError) {
        let bytes = Array((line + "\n").utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
            guard count > 0 else { throw .failed("\(name) ended: \(errorText)") }
            sent += count
        }
    }

    /// Ends the child's input.
    func closeInput() {
        if input >= 0 { close(input) }
        input = -1
    }

    /// The next line of output, nil at its end. Throws after `seconds` without one, and when a signal came.
    func readLine(within seconds: Double) throws(BenchError) -> String? {
        let deadline = cbench_now() &+ UInt64(seconds * 1e9)
        while true {
            if let end = received.firstIndex(of: 10) {
                let line = String(decoding: received[..<end], as: UTF8.self)
                received.removeSubrange(...end)
                return line
            }
            guard try fill(until: deadline, "no answer from \(name) within \(seconds) s") else { return nil }
        }
    }

    /// The next message, which must be `verb`. Throws after `seconds` without one.
    func answer(_ verb: String, within seconds: Double) throws(BenchError) -> PipeMessage {
        guard let line = try readLine(within: seconds) else { throw .failed("\(name) ended\(errorNote)") }
        let message = PipeMessage(parsing: line)
        guard message.verb == verb else {
            throw .failed("\(name) answered \"\(line)\" where \(verb) was expected")
        }
        return message
    }

    /// All output until the child closes it.
    func readAll(within seconds: Double) throws(BenchError) -> String {
        let deadline = cbench_now() &+ UInt64(seconds * 1e9)
        while try fill(until: deadline, "\(name) did not end within \(seconds) s") {}
        defer { received = [] }
        return String(decoding: received, as: UTF8.self)
    }

    /// Reads what is there, waiting until `deadline`; false at the end of output.
    private func fill(until deadline: UInt64, _ complaint: String) throws(BenchError) -> Bool {
        while true {
            let now = cbench_now()
            guard now < deadline else { throw .failed("\(complaint)\(errorNote)") }
            var polled = [
                pollfd(fd: output, events: Int16(POLLIN), revents: 0),
                pollfd(fd: interrupt, events: Int16(POLLIN), revents: 0),
            ]
            let left = min((deadline &- now) / 1_000_000 &+ 1, 60_000)
            let ready = poll(&polled, 2, Int32(left))
            if ready < 0, errno != EINTR { throw .system("poll") }
            if polled[1].revents != 0 { throw .interrupted }
            guard ready > 0 else { continue }
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = read(output, &chunk, chunk.count)
            guard count > 0 else { return false }
            received.append(contentsOf: chunk[..<count])
            return true
        }
    }

    func signal(_ number: Int32) { if status == nil { kill(pid, number) } }

    /// Waits for the end; nil when it did not come within `seconds`. The exit code, or 128 + signal.
    func wait(within seconds: Double) -> Int32? {
        let deadline = cbench_now() &+ UInt64(seconds * 1e9)
        while status == nil {
            var code: Int32 = 0
            let result = waitpid(pid, &code, WNOHANG)
            if result == pid {
                status = code & 0x7F == 0 ? code >> 8 & 0xFF : 128 + (code & 0x7F)
            } else if result < 0, errno != EINTR {
                status = 127
            } else if cbench_now() >= deadline {
                return nil
            } else {
                usleep(2_000)
            }
        }
        return status
    }

    /// Asks the child to end, and ends it when it does not within a second.
    func stop() {
        closeInput()
        signal(SIGTERM)
        guard wait(within: 1) == nil else { return }
        signal(SIGKILL)
        _ = wait(within: 1)
    }

    /// The last part of what the child wrote to its error output.
    var errorText: String {
        let size = lseek(errors, 0, SEEK_END)
        guard size > 0 else { return "" }
        let wanted = min(Int(size), 4_096)
        var bytes = [UInt8](repeating: 0, count: wanted)
        let count = pread(errors, &bytes, wanted, off_t(Int(size) - wanted))
        guard count > 0 else { return "" }
        var text = String(decoding: bytes[..<count], as: UTF8.self)
        while text.last?.isNewline == true { text.removeLast() }
        return text
    }

    /// The error text for the end of a message.
    var errorNote: String {
        let text = errorText
        return text.isEmpty ? "" : "; \(name) said:\n\(text)"
    }
}
