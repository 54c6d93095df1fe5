import CBench
import Glibc
import HyphaWire

/// `hypha-bench hello-probe`: stock neighbours that send Hellos in turn and take the time until each one's IHU is there.
/// Several, because a node answers each neighbour no more than 50 Hellos a second.
///
/// | command | answer |
/// |---|---|
/// | `probe ns= interval=` | `probed samples= lost= late= stamped= first=` and the columns of `Delays`, all in ns |
///
/// It runs before everything else on its core where the system allows that (`first=1`), and reads without sleeping while
/// it waits. What counts is when the kernel got the IHU, so that a core shared with other neighbours is not the node's
/// delay; when it was read is told beside it.
final class HelloProbe {
    /// An IHU that takes longer is late.
    private static let limit: UInt64 = 1_000_000
    /// An IHU that takes longer is lost.
    private static let patience: UInt64 = 1_000_000_000
    /// Without sleeping at most so long, or the other neighbours on this core would get nothing.
    private static let busy: UInt64 = 2_000_000

    /// Neighbours, one TCP link each.
    static let links = 5

    private let neighbours: [StockNeighbour]
    private let runsFirst: Bool

    static func main() -> Int32 {
        BenchEndpoint.run { () throws(BenchError) in
            let setup = try BenchEndpoint.readStreamSetup()
            guard cbench_pin(setup.cpus, Testbed.niceness) == 0 else { throw .system("cannot pin the probe") }
            let probe = try HelloProbe(setup)
            try probe.serve()
        }
    }

    private init(_ setup: StreamSetup) throws(BenchError) {
        var neighbours = [try StockNeighbour(secret: setup.secret, node: setup.relay)]
        while neighbours.count < HelloProbe.links {
            neighbours.append(try StockNeighbour(secret: NodeProcess.makeSecret(), node: setup.relay))
        }
        for neighbour in neighbours { _ = cbench_stamp(neighbour.socket) }
        self.neighbours = neighbours
        runsFirst = cbench_run_first() == 0
    }

    private func serve() throws(BenchError) {
        BenchEndpoint.reply(PipeMessage("ready"))
        while true {
            usleep(20_000)
            for neighbour in neighbours { try listen(neighbour) }
            guard BenchEndpoint.hasCommand else { continue }
            guard let line = readLine() else { return }
            let command = PipeMessage(parsing: line)
            switch command.verb {
            case "probe": try probe(nanoseconds: command.number("ns"), interval: command.number("interval"))
            default: throw .failed("unknown command \"\(line)\"")
            }
        }
    }

    /// Takes what the node says by itself.
    private func listen(_ neighbour: StockNeighbour) throws(BenchError) {
        guard try neighbour.receive(within: 0) > 0 else { return }
        while let frame = try neighbour.nextFrame() { try neighbour.take(control: frame) }
    }

    private func probe(nanoseconds: UInt64, interval: UInt64) throws(BenchError) {
        var arrived: [UInt64] = []
        var read: [UInt64] = []
        let count = Int(nanoseconds / max(1, interval))
        arrived.reserveCapacity(count)
        read.reserveCapacity(count)
        var lost = 0
        var stamped = 0
        var due = cbench_now()
        for number in 0..<count {
            let neighbour = neighbours[number % neighbours.count]
            due &+= interval
            let now = cbench_now()
            if due > now { usleep(UInt32((due &- now) / 1_000)) } else { due = now }
            try listen(neighbour)
            guard let answer = try sample(neighbour) else {
                lost += 1
                continue
            }
            arrived.append(answer.arrived)
            read.append(answer.read)
            if answer.isStamped { stamped += 1 }
        }
        let all = Delays(arrived)
        let seen = Delays(read)
        BenchEndpoint.reply(
            PipeMessage(
                "probed",
                [
                    ("samples", "\(arrived.count)"), ("lost", "\(lost)"),
                    ("late", "\(arrived.count { $0 > HelloProbe.limit })"), ("stamped", "\(stamped)"),
                    ("first", runsFirst ? "1" : "0"),
                ] + all.fields("arrived") + seen.fields("read")))
    }

    /// Sends a Hello and waits for the IHU: nanoseconds until it was there and until it was read. Nil when none came.
    private func sample(
        _ neighbour: StockNeighbour
    ) throws(BenchError) -> (arrived: UInt64, read: UInt64, isStamped: Bool)? {
        let before = neighbour.answers
        let start = cbench_now()
        let startWall = cbench_wall()
        try neighbour.sendHello()
        while true {
            var stamp: UInt64 = 0
            let count = try neighbour.receive(stamp: &stamp)
            let now = cbench_now()
            if count == 0 {
                guard now &- start < HelloProbe.patience else { return nil }
                if now &- start > HelloProbe.busy { usleep(50) }
                continue
            }
            while let frame = try neighbour.nextFrame() { try neighbour.take(control: frame) }
            guard neighbour.answers > before else { continue }
            let read = now &- start
            // The wall clock may be set meanwhile: a stamp from before the Hello or after the reading is none.
            let isStamped = stamp >= startWall && stamp &- startWall <= read &+ 1_000_000
            return (isStamped ? stamp &- startWall : read, read, isStamped)
        }
    }
}
