import CBench
import Glibc
import HyphaWire

/// `hypha-bench stream-sink`: a stock neighbour that counts the data frames that reach it and compares some of them with
/// what was sent.
///
/// | command | answer |
/// |---|---|
/// | `arm` | `armed`; counts from zero |
/// | `report` | `received packets= later= bytes= receives= first= last= cpu= sampled= bad= why=` |
///
/// `later` are the frames behind the first receive, which is what `first` is the time of: they came in `last` - `first`.
final class StreamSink {
    /// One receive in so many is compared.
    private static let sampleInterval = 64

    private struct Burst {
        var packets = 0
        var later = 0
        var bytes = 0
        var receives = 0
        var first: UInt64 = 0
        var last: UInt64 = 0
        var cpu: UInt64 = 0
        var sampled = 0
        var bad = 0
        var why: StockTraffic.Mismatch?
    }

    private let neighbour: StockNeighbour
    private let traffic: StockTraffic
    private var burst = Burst()

    static func main() -> Int32 {
        BenchEndpoint.run { () throws(BenchError) in
            let setup = try BenchEndpoint.readStreamSetup()
            guard cbench_pin(setup.cpus, Testbed.niceness) == 0 else { throw .system("cannot pin the sink") }
            let sink = try StreamSink(setup)
            try sink.serve()
        }
    }

    private init(_ setup: StreamSetup) throws(BenchError) {
        traffic = StockTraffic(
            payload: setup.payload, source: Prefix(setup.source, length: 64),
            destination: Prefix(setup.destination, length: 64), steps: setup.steps, seed: setup.seed)
        neighbour = try StockNeighbour(secret: setup.secret, node: setup.relay)
    }

    private func serve() throws(BenchError) {
        BenchEndpoint.reply(PipeMessage("ready"))
        while true {
            let received = try neighbour.receive(within: 20)
            if received > 0 { try count(received) }
            try neighbour.keepAlive()
            guard received == 0, BenchEndpoint.hasCommand else { continue }
            guard let line = readLine() else { return }
            switch PipeMessage(parsing: line).verb {
            case "arm":
                burst = Burst(cpu: cbench_processor_time())
                BenchEndpoint.reply(PipeMessage("armed"))
            case "report":
                burst.cpu = cbench_processor_time() &- burst.cpu
                report()
            default: throw .failed("unknown command \"\(line)\"")
            }
        }
    }

    private func count(_ received: Int) throws(BenchError) {
        let now = cbench_now()
        let samples = burst.receives % StreamSink.sampleInterval == 0
        var packets = 0
        var last: UInt64?
        while let frame = try neighbour.nextFrame() {
            guard frame[1] == StockFrame.Kind.data.rawValue else {
                try neighbour.take(control: frame)
                continue
            }
            packets += 1
            burst.bytes += frame.count
            if samples { check(frame, after: &last) }
        }
        guard packets > 0 else { return }
        burst.receives += 1
        burst.packets += packets
        if burst.first == 0 { burst.first = now } else { burst.later += packets }
        burst.last = now
    }

    private func check(_ frame: UnsafeRawBufferPointer, after last: inout UInt64?) {
        burst.sampled += 1
        switch traffic.check(frame) {
        case .success(let number):
            if let before = last, number <= before {
                burst.bad += 1
                burst.why = burst.why ?? .order
            }
            last = number
        case .failure(let mismatch):
            burst.bad += 1
            burst.why = burst.why ?? mismatch
        }
    }

    private func report() {
        let reason = burst.why.map { $0.rawValue.split(separator: " ").joined(separator: "_") } ?? "-"
        BenchEndpoint.reply(
            PipeMessage(
                "received",
                [
                    ("packets", "\(burst.packets)"), ("later", "\(burst.later)"), ("bytes", "\(burst.bytes)"),
                    ("receives", "\(burst.receives)"), ("first", "\(burst.first)"), ("last", "\(burst.last)"),
                    ("cpu", "\(burst.cpu)"), ("sampled", "\(burst.sampled)"), ("bad", "\(burst.bad)"),
                    ("why", reason),
                ]))
    }
}
