import CBench
import Glibc

/// `hypha-bench bare-relay`: takes two TCP connections and moves the bytes of each to the other with `recv` and `send`, and
/// nothing else: what any relay of streams costs on this machine.
///
/// | command | answer |
/// |---|---|
/// | `setup port= cpus=` | `ready` when it listens |
/// | `count` | `counted bytes= calls= cpu=`: moved since the start, and ns of CPU time |
final class BareRelay {
    private static let bufferSize = 256 << 10

    /// One direction: bytes that were received and not sent yet.
    private struct Direction {
        let from: Int32
        let to: Int32
        let buffer: UnsafeMutableRawPointer
        var begin = 0
        var end = 0

        var holds: Bool { begin < end }
    }

    private let listener: Int32
    private var accepted: [Int32] = []
    private var directions: [Direction] = []
    private var bytes: UInt64 = 0
    private var calls: UInt64 = 0

    static func main() -> Int32 {
        BenchEndpoint.run { () throws(BenchError) in
            guard let line = readLine() else { return }
            let setup = PipeMessage(parsing: line)
            guard setup.verb == "setup" else { throw .failed("unknown command \"\(line)\"") }
            guard cbench_pin(try setup.number("cpus"), Testbed.niceness) == 0 else {
                throw .system("cannot pin the bare relay")
            }
            let relay = try BareRelay(port: UInt16(clamping: try setup.number("port")))
            BenchEndpoint.reply(PipeMessage("ready"))
            try relay.serve()
        }
    }

    private init(port: UInt16) throws(BenchError) {
        listener = cbench_listen(port)
        guard listener >= 0 else { throw .system("cannot listen on TCP port \(port)") }
    }

    private func serve() throws(BenchError) {
        // Commands, then the listener until both neighbours are there, then the neighbours. The first connection says
        // nothing to anyone before the second is there.
        var polled = [listener, 0].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        while true {
            guard poll(&polled, nfds_t(polled.count), -1) > 0 else { continue }
            if polled[1].revents != 0 {
                guard let line = readLine() else { return }
                answer(line)
            }
            if polled[0].revents != 0 {
                try accept()
                guard directions.count == 2 else { continue }
                polled[0].fd = -1
                for direction in directions {
                    polled.append(pollfd(fd: direction.from, events: Int16(POLLIN), revents: 0))
                }
                continue
            }
            guard directions.count == 2 else { continue }
            for i in 0..<2 where polled[2 + i].revents != 0 || directions[i].holds { try move(i) }
            for i in 0..<2 {
                polled[2 + i].events = Int16(
                    (directions[i].holds ? 0 : POLLIN) | (directions[1 - i].holds ? POLLOUT : 0))
            }
        }
    }

    private func accept() throws(BenchError) {
        let connection = Glibc.accept(listener, nil, nil)
        guard connection >= 0 else { throw .system("accept") }
        var on: Int32 = 1
        setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        accepted.append(connection)
        guard accepted.count == 2 else { return }
        for i in 0..<2 {
            directions.append(
                Direction(
                    from: accepted[i], to: accepted[1 - i],
                    buffer: .allocate(byteCount: BareRelay.bufferSize, alignment: 4_096)))
        }
    }

    private func move(_ i: Int) throws(BenchError) {
        if !directions[i].holds {
            let count = recv(directions[i].from, directions[i].buffer, BareRelay.bufferSize, Int32(MSG_DONTWAIT))
            calls += 1
            guard count > 0 else {
                if count < 0, errno == EAGAIN { return }
                throw .failed("a neighbour of the bare relay is gone")
            }
            directions[i].begin = 0
            directions[i].end = count
        }
        let direction = directions[i]
        let count = send(
            direction.to, direction.buffer + direction.begin, direction.end - direction.begin,
            Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        calls += 1
        guard count > 0 else { return }
        directions[i].begin += count
        bytes += UInt64(count)
    }

    private func answer(_ line: String) {
        guard PipeMessage(parsing: line).verb == "count" else { return }
        BenchEndpoint.reply(
            PipeMessage(
                "counted",
                [("bytes", "\(bytes)"), ("calls", "\(calls)"), ("cpu", "\(cbench_processor_time())")]))
    }
}
