import CAEAD
import CBench
import Glibc
import HyphaWire

/// `hypha-bench relay-sink`: counts what comes through the relay at as little cost as it can, and opens a sample of it.
///
/// | command | answer |
/// |---|---|
/// | `arm` | `armed`; counts from zero |
/// | `report` | `received packets= later= messages= first= last= cpu= sampled= bad= why=` |
///
/// `later` are the packets behind the first batch, which is what `first` is the time of: they came in `last` - `first`.
final class RelaySink {
    /// One message in so many is kept whole and opened after the burst.
    private static let sampleInterval = 200
    private static let sampleLimit = 16 << 20
    /// Largest message of the kernel.
    private static let messageSize = 65_536
    /// What is looked at of all others.
    private static let headSize = 16

    private struct Burst {
        var packets = 0
        var later = 0
        var messages = 0
        var first: UInt64 = 0
        var last: UInt64 = 0
        var cpu: UInt64 = 0
        /// Bytes of samples, and each one's place, length and datagram size.
        var sampleBytes = 0
        var samples: [(offset: Int, length: Int, segment: Int)] = []
    }

    private let link: BenchLink
    private let traffic: RelayTraffic
    private let size: Int
    private let messages: UnsafeMutablePointer<cbench_message>
    private let heads: UnsafeMutableRawPointer
    private let samples: UnsafeMutableRawPointer
    private var burst = Burst()
    private var untilSample = 0
    private var lastKeepalive: UInt64 = 0

    static func main() -> Int32 {
        BenchEndpoint.run { () throws(BenchError) in
            let setup = try BenchEndpoint.readSetup()
            guard cbench_pin(setup.cpus, Testbed.niceness) == 0 else { throw .system("cannot pin the sink") }
            let sink = try RelaySink(setup)
            try sink.serve()
        }
    }

    private init(_ setup: RelaySetup) throws(BenchError) {
        size = setup.size
        let count = Int(CBENCH_MESSAGES)
        messages = .allocate(capacity: count)
        heads = .allocate(byteCount: count * RelaySink.headSize, alignment: 64)
        samples = .allocate(byteCount: RelaySink.sampleLimit, alignment: 64)
        // Touched now, not in the burst.
        samples.initializeMemory(as: UInt8.self, repeating: 0, count: RelaySink.sampleLimit)
        for i in 0..<count {
            (messages + i).initialize(
                to: cbench_message(
                    buffer: heads + i * RelaySink.headSize, capacity: UInt32(RelaySink.headSize), length: 0, segment: 0,
                    reserved: 0))
        }
        traffic = RelayTraffic(
            mode: setup.mode, source: setup.source, destination: setup.destination, seed: setup.seed)
        link = try BenchLink(
            secret: setup.secret, peer: setup.relayKey, relay: setup.relay, suite: setup.suite, mode: setup.mode)
        var timeout = timeval(tv_sec: 0, tv_usec: 20_000)
        setsockopt(link.socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        burst.samples.reserveCapacity(RelaySink.sampleLimit / RelaySink.messageSize + 4_096)
    }

    deinit {
        messages.deallocate()
        heads.deallocate()
        samples.deallocate()
    }

    private func serve() throws(BenchError) {
        try link.establish(within: 5)
        BenchEndpoint.reply(PipeMessage("ready"))
        while true {
            let quiet = try receive()
            let now = cbench_now()
            // The node hears from this side although the measured traffic only comes in.
            if now &- lastKeepalive > 200_000_000 {
                lastKeepalive = now
                link.sendKeepalive()
            }
            guard quiet, BenchEndpoint.hasCommand else { continue }
            guard let line = readLine() else { return }
            switch PipeMessage(parsing: line).verb {
            case "arm":
                if link.isStale { try link.establish(within: 5) }
                burst.samples.removeAll(keepingCapacity: true)
                burst = Burst(cpu: cbench_processor_time(), samples: burst.samples)
                untilSample = 0
                BenchEndpoint.reply(PipeMessage("armed"))
            case "report":
                burst.cpu = cbench_processor_time() &- burst.cpu
                report()
            default: throw .failed("unknown command \"\(line)\"")
            }
        }
    }

    /// Takes what is there; true when that was nothing within the socket's timeout.
    private func receive() throws(BenchError) -> Bool {
        let samples = untilSample <= 0 && burst.sampleBytes <= RelaySink.sampleLimit - RelaySink.messageSize
        if samples {
            messages[0].buffer = self.samples + burst.sampleBytes
            messages[0].capacity = UInt32(RelaySink.messageSize)
        }
        let count = Int(cbench_receive(link.socket, messages, CBENCH_MESSAGES))
        if samples {
            messages[0].buffer = heads
            messages[0].capacity = UInt32(RelaySink.headSize)
        }
        // An ICMP error of our own keepalives (the node has just gone) counts as nothing received.
        guard count > 0 else { return true }
        let now = cbench_now()
        var packets = 0
        for i in 0..<count {
            let length = Int(messages[i].length)
            let segment = messages[i].segment == 0 ? length : Int(messages[i].segment)
            let kind = (i == 0 && samples ? self.samples + burst.sampleBytes : heads + i * RelaySink.headSize)
                .load(as: UInt8.self)
            guard segment == size, kind == 4 || kind == 5 else { continue }
            // A shorter last datagram of a train is a message of the link.
            packets += length / segment
        }
        guard packets > 0 else { return false }
        if samples, messages[0].segment == size || messages[0].length == size {
            let length = Int(messages[0].length)
            burst.samples.append((burst.sampleBytes, length, size))
            burst.sampleBytes += (length + 63) & ~63
            untilSample = RelaySink.sampleInterval
        }
        untilSample -= count
        burst.messages += count
        burst.packets += packets
        if burst.first == 0 { burst.first = now } else { burst.later += packets }
        burst.last = now
        return false
    }

    private func report() {
        var sampled = 0
        var bad = 0
        var why: RelayTraffic.Mismatch?
        var lastCounter: [UInt64?] = Array(repeating: nil, count: 16)
        for sample in burst.samples {
            var offset = sample.offset
            while offset + size <= sample.offset + sample.length {
                let datagram = samples + offset
                let lane = Int(LinkHeader.lane(datagram)) & 15
                let counter = LinkHeader.counter(datagram)
                var result: Result<UInt64, RelayTraffic.Mismatch> = .failure(.seal)
                if let key = link.receiveKey(lane: lane), LinkHeader.index(datagram) == link.index {
                    result = traffic.check(datagram, size: size, key: key, context: link.context)
                }
                if case .success = result, let last = lastCounter[lane], counter <= last { result = .failure(.order) }
                lastCounter[lane] = counter
                sampled += 1
                if case .failure(let mismatch) = result {
                    bad += 1
                    why = why ?? mismatch
                }
                offset += size
            }
        }
        let reason = why.map { $0.rawValue.split(separator: " ").joined(separator: "_") } ?? "-"
        BenchEndpoint.reply(
            PipeMessage(
                "received",
                [
                    ("packets", "\(burst.packets)"), ("later", "\(burst.later)"), ("messages", "\(burst.messages)"),
                    ("first", "\(burst.first)"), ("last", "\(burst.last)"), ("cpu", "\(burst.cpu)"),
                    ("sampled", "\(sampled)"), ("bad", "\(bad)"), ("why", reason),
                ]))
    }
}
