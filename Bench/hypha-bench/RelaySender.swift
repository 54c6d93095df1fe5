import CAEAD
import CBench
import Glibc

/// `hypha-bench relay-sender`: seals packets ahead of time and sends each of them once, in trains, as fast as it can.
///
/// | command | answer |
/// |---|---|
/// | `prepare` | `prepared packets=` sealed and waiting |
/// | `send ns=` | `sent packets= failed= start= end= cpu=` with times in ns |
///
/// What one burst leaves over is the beginning of the next, so counters rise without a gap that matters.
final class RelaySender {
    /// Most datagrams of one train (UDP_MAX_SEGMENTS of the kernel) and most bytes.
    static let trainDatagrams = 128
    static let trainBytes = 65_000
    /// More packets than a burst could send.
    static let packetLimit = 6 << 20

    private let link: BenchLink
    private let traffic: RelayTraffic
    private let size: Int
    /// Datagrams of one train.
    private let perTrain: Int
    /// Trains that fit the memory; a ring.
    private let capacity: Int
    private let memory: UnsafeMutableRawPointer
    private let jobs: UnsafeMutablePointer<caead_job>
    private var head = 0
    private var waiting = 0
    /// Number of the next packet, from 0 over all sessions.
    private var number: UInt64 = 0

    static func main() -> Int32 {
        BenchEndpoint.run { () throws(BenchError) in
            let setup = try BenchEndpoint.readSetup()
            guard cbench_pin(setup.cpus, Testbed.niceness) == 0 else { throw .system("cannot pin the sender") }
            let sender = try RelaySender(setup)
            try sender.serve()
        }
    }

    private init(_ setup: RelaySetup) throws(BenchError) {
        size = setup.size
        perTrain = max(1, min(RelaySender.trainDatagrams, RelaySender.trainBytes / size))
        let trainSize = perTrain * size
        capacity = max(1, min(setup.memory / trainSize, RelaySender.packetLimit / perTrain))
        let bytes = capacity * trainSize
        guard
            let mapped = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            mapped != MAP_FAILED
        else { throw .system("no memory for \(bytes) bytes of packets (see --max-memory)") }
        // Huge pages where there are some: the packets are walked through once a burst.
        madvise(mapped, bytes, 14)
        memory = mapped
        jobs = .allocate(capacity: RelaySender.trainDatagrams)
        jobs.initialize(repeating: caead_job(), count: RelaySender.trainDatagrams)
        traffic = RelayTraffic(
            mode: setup.mode, source: setup.source, destination: setup.destination, seed: setup.seed)
        link = try BenchLink(
            secret: setup.secret, peer: setup.relayKey, relay: setup.relay, suite: setup.suite, mode: setup.mode)
    }

    deinit {
        munmap(memory, capacity * perTrain * size)
        jobs.deallocate()
    }

    private func serve() throws(BenchError) {
        try link.establish(within: 5)
        BenchEndpoint.reply(PipeMessage("ready"))
        while let line = readLine() {
            let command = PipeMessage(parsing: line)
            switch command.verb {
            case "prepare": try prepare()
            case "send": try send(nanoseconds: command.number("ns"))
            default: throw .failed("unknown command \"\(line)\"")
            }
        }
    }

    /// Seals until the memory is full.
    private func prepare() throws(BenchError) {
        if link.isStale {
            try link.establish(within: 5)
            waiting = 0
        }
        while waiting < capacity {
            try seal(train: (head + waiting) % capacity)
            waiting += 1
        }
        link.sendKeepalive()
        BenchEndpoint.reply(PipeMessage("prepared", [("packets", "\(waiting * perTrain)")]))
    }

    private func seal(train: Int) throws(BenchError) {
        let start = memory + train * perTrain * size
        for i in 0..<perTrain {
            traffic.write(
                start + i * size, size: size, number: number, lane: BenchLink.dataLane, index: link.peerIndex,
                counter: link.nextCounter, key: link.sendKey, job: jobs + i)
            number &+= 1
            link.nextCounter &+= 1
        }
        caead_seal(link.context, jobs, perTrain)
        for i in 0..<perTrain where jobs[i].ok != 1 { throw .failed("a packet could not be sealed") }
    }

    /// Sends for as long, or until all packets are used.
    private func send(nanoseconds: UInt64) {
        let trainSize = perTrain * size
        let cpu = cbench_processor_time()
        let start = cbench_now()
        var end = start
        var sent = 0
        var failed = 0
        while waiting > 0, end &- start < nanoseconds {
            // A train that was refused never left: its packets are lost here, not at the relay.
            if cbench_send_train(link.socket, memory + head * trainSize, trainSize, UInt16(size)) == 0 {
                sent += perTrain
            } else {
                failed += perTrain
            }
            head = (head + 1) % capacity
            waiting -= 1
            end = cbench_now()
        }
        BenchEndpoint.reply(
            PipeMessage(
                "sent",
                [
                    ("packets", "\(sent)"), ("failed", "\(failed)"), ("start", "\(start)"), ("end", "\(end)"),
                    ("cpu", "\(cbench_processor_time() &- cpu)"),
                ]))
    }
}
