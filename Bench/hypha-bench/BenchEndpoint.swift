import Glibc

/// The side of a sender or sink towards the benchmark: commands on standard input, answers on standard output.
enum BenchEndpoint {
    /// Runs `body`; its error becomes a line on standard error and exit code 1.
    static func run(_ body: () throws(BenchError) -> Void) -> Int32 {
        do throws(BenchError) {
            try body()
            return 0
        } catch {
            switch error {
            case .failed(let text), .unavailable(let text): write(text + "\n", to: 2)
            case .interrupted: break
            }
            return 1
        }
    }

    static func reply(_ message: PipeMessage) { write(message.description + "\n", to: 1) }

    /// Writes all of `text`, without a buffer that a signal could lose.
    static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }

    /// The setup, first of all lines.
    static func readSetup() throws(BenchError) -> RelaySetup {
        guard let line = readLine() else { throw .interrupted }
        return try RelaySetup(PipeMessage(parsing: line))
    }

    /// The setup of a stock neighbour, first of all lines.
    static func readStreamSetup() throws(BenchError) -> StreamSetup {
        guard let line = readLine() else { throw .interrupted }
        return try StreamSetup(PipeMessage(parsing: line))
    }

    /// True when a command (or the end of input) waits.
    static var hasCommand: Bool {
        var polled = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, 0) > 0
    }
}
