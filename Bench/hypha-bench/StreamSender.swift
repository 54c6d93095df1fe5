import CBench
import Glibc
import HyphaWire

/// `hypha-bench stream-sender`: a stock neighbour that writes data frames as fast as TCP takes them, in large writes.
///
/// | command | answer |
/// |---|---|
/// | `send ns=` | `sent packets= bytes= start= end= cpu=` with times in ns |
final class StreamSender {
    /// Batches between two looks at what the node says.
    private static let batchesPerLook = 16

    private let neighbour: StockNeighbour
    private let traffic: StockTraffic
    private var next: UInt64 = 0

    static func main() -> Int32 {
        BenchEndpoint.run { () throws(BenchError) in
            let setup = try BenchEndpoint.readStreamSetup()
            guard cbench_pin(setup.cpus, Testbed.niceness) == 0 else { throw .system("cannot pin the sender") }
            let sender = try StreamSender(setup)
            try sender.serve()
        }
    }

    private init(_ setup: StreamSetup) throws(BenchError) {
        let destination = Prefix(setup.destination, length: 64)
        traffic = StockTraffic(
            payload: setup.payload, source: Prefix(setup.source, length: 64), destination: destination,
            steps: setup.steps, seed: setup.seed)
        neighbour = try StockNeighbour(secret: setup.secret, node: setup.relay)
        try neighbour.waitForRoute(to: destination, within: 10)
    }

    private func serve() throws(BenchError) {
        BenchEndpoint.reply(PipeMessage("ready"))
        while true {
            try listen(within: 20)
            try neighbour.keepAlive()
            guard BenchEndpoint.hasCommand else { continue }
            guard let line = readLine() else { return }
            let command = PipeMessage(parsing: line)
            switch command.verb {
            case "send": try send(nanoseconds: command.number("ns"))
            default: throw .failed("unknown command \"\(line)\"")
            }
        }
    }

    /// Takes what the node says; waits for it as long as that.
    private func listen(within milliseconds: Int32) throws(BenchError) {
        guard try neighbour.receive(within: milliseconds) > 0 else { return }
        while let frame = try neighbour.nextFrame() { try neighbour.take(control: frame) }
    }

    private func send(nanoseconds: UInt64) throws(BenchError) {
        let cpu = cbench_processor_time()
        let start = cbench_now()
        var end = start
        var batches = 0
        while end &- start < nanoseconds {
            try neighbour.send(traffic.numbered(batch: next), traffic.batch * traffic.size)
            next &+= 1
            batches += 1
            if batches % StreamSender.batchesPerLook == 0 { try listen(within: 0) }
            end = cbench_now()
        }
        let packets = batches * traffic.batch
        BenchEndpoint.reply(
            PipeMessage(
                "sent",
                [
                    ("packets", "\(packets)"), ("bytes", "\(packets * traffic.size)"), ("start", "\(start)"),
                    ("end", "\(end)"), ("cpu", "\(cbench_processor_time() &- cpu)"),
                ]))
    }
}
