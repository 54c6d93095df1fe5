import HyphaBase
import HyphaInterchange
import HyphaWire

/// The TCP connections of a `FakeWorker`: places and numbers as the rim gives them, and whole frames in both directions.
struct FakeStreams {
    let links: LinkNumbering
    /// Of open connections, where the other end is.
    private(set) var remotes: [UInt32: SocketAddress] = [:]
    /// Places that were used before, the last one on top, with the next number of each.
    private var free: [UInt32] = []
    private var used: UInt32 = 0
    /// What control wants, to be taken by whoever runs the node.
    var dials: [(number: UInt32, to: SocketAddress)] = []
    var closes: [(connection: UInt32, reset: Bool)] = []
    var sent: [(connection: UInt32, bytes: [UInt8])] = []
    /// Data: routing header and body, as a relay has it.
    var packets: [(connection: UInt32, packet: [UInt8])] = []
    /// Sizes of what control wanted written.
    private(set) var controlSizes: [Int] = []
    /// Frames that a stock node would not take as they are meant.
    private(set) var unsafeFrames: [[UInt8]] = []
    /// What Hellos are answered with, by connection: receive cost and interval.
    private(set) var answers: [UInt32: BabelTLV.IHU] = [:]
    /// What was for a connection that is not there.
    private(set) var strays = 0

    init(links: LinkNumbering) { self.links = links }

    /// A place for a connection; nil when all are taken.
    mutating func open(_ remote: SocketAddress) -> UInt32? {
        var id = used
        if let reused = free.popLast() {
            id = reused
        } else {
            guard used < links.streams else { return nil }
            used += 1
        }
        remotes[id] = remote
        return id
    }

    /// False when it was gone already.
    mutating func close(_ id: UInt32) -> Bool {
        guard remotes.removeValue(forKey: id) != nil else { return false }
        free.append(id &+ 0x1_0000)
        answers[id] = nil
        return true
    }

    /// Control says what Hellos on a connection are answered with.
    mutating func answerHellos(_ command: WorkerCommand) {
        guard remotes[command.id] != nil else { return }
        answers[command.id] = FakeStreams.answer(command)
    }

    static func answer(_ command: WorkerCommand) -> BabelTLV.IHU {
        BabelTLV.IHU(
            receiveCost: UInt16(truncatingIfNeeded: command.value),
            interval: UInt16(truncatingIfNeeded: command.value >> 16))
    }

    /// The body of a control frame came: a Hello is answered at once.
    mutating func heard(_ body: [UInt8], on id: UInt32) {
        guard let answer = answers[id] else { return }
        let count = body.withUnsafeBytes { BabelTLVPacket.helloCount(body: $0) }
        guard let frame = StockFrame.control([BabelTLV.IHU.type, 6] + BabelTLV.ihu(answer).body) else { return }
        for _ in 0..<count { send(frame, on: id) }
    }

    /// The other end of the connection behind a link.
    func remote(link: UInt32) -> SocketAddress? {
        remotes.first { links.link(connection: $0.key) == link }?.value
    }

    /// A packet for the neighbour on a TCP link.
    mutating func send(packet: [UInt8], link: UInt32) {
        guard let id = remotes.keys.first(where: { links.link(connection: $0) == link }) else { return }
        packets.append((id, packet))
    }

    mutating func send(_ bytes: [UInt8], on id: UInt32) {
        controlSizes.append(bytes.count)
        guard remotes[id] != nil else {
            strays += 1
            return
        }
        for frame in FakeStreams.frames(bytes) where !frame.withUnsafeBytes({ StockSafety.isSafe(control: $0) }) {
            unsafeFrames.append(frame)
        }
        sent.append((id, bytes))
    }

    /// The frames of a stream's bytes; a rest that is none counts as one.
    static func frames(_ bytes: [UInt8]) -> [[UInt8]] {
        var frames: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let scan = Array(rest).withUnsafeBytes { bytes in
                bytes.baseAddress.map { StockFrame.scan($0, count: bytes.count) } ?? .incomplete
            }
            guard case .control(let length) = scan, length <= rest.count else { return frames + [Array(rest)] }
            frames.append(Array(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return frames
    }

    /// The TLVs in a stream's bytes.
    static func tlvs(_ bytes: [UInt8]) -> [BabelTLV] {
        frames(bytes).flatMap { BabelTLVPacket.read(Array($0.dropFirst(4))) }.compactMap { reading in
            if case .tlv(let tlv, _) = reading { return tlv }
            return nil
        }
    }
}
