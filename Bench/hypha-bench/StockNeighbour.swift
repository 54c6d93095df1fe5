import CBench
import Glibc
import HyphaBase
import HyphaIdentity
import HyphaWire

/// A stock neighbour of the node under test, as small as one can be: one TCP connection on which it announces the /64
/// of a key of its own, answers Hellos, sends them now and then, and notes what the node announces. Not thread-safe.
final class StockNeighbour {
    /// Most bytes of one receive.
    static let receiveSize = 256 << 10
    /// Nanoseconds between Hellos.
    private static let helloInterval: UInt64 = 20_000_000_000
    /// Fields of what a stock node sends, in hundredths of a second: Hello, IHU, Update.
    private static let intervals: (hello: UInt16, ihu: UInt16, update: UInt16) = (2_000, 6_000, 30_000)
    /// Milliseconds after which a node that takes nothing has failed.
    private static let patience: Int32 = 5_000

    let socket: Int32
    let prefix: Prefix
    private let routerID: RouterID
    private var seqno: UInt16 = 0
    private var helloSeqno: UInt16 = 0
    private var lastHello: UInt64 = 0
    /// Prefixes that the node announces.
    private(set) var routes: Set<Prefix> = []
    /// IHUs received.
    private(set) var answers: UInt64 = 0

    /// Received bytes: those of whole frames that were not asked for yet, then the beginning of one.
    private let buffer: UnsafeMutableRawPointer
    private var begin = 0
    private var end = 0

    /// Connects, and says at once what stock nodes say first. `secret`: 32 bytes.
    init(secret: [UInt8], node: SocketAddress) throws(BenchError) {
        guard let identity = NodeIdentity(secret: secret),
            let routerID = RouterID(
                key: identity.publicKey.bytes, zone: 0, random: BenchLink.randomNumber())
        else { throw .failed("the secret key is not 32 bytes") }
        self.routerID = routerID
        prefix = Prefix(identity.address, length: 64)
        socket = cbench_stream(node.address.bytes, node.port, StockNeighbour.patience)
        guard socket >= 0 else { throw .system("cannot connect to tcp://\(node)") }
        buffer = .allocate(byteCount: StockNeighbour.receiveSize + 2 * StockData.maxPayload, alignment: 4_096)
        buffer.initializeMemory(
            as: UInt8.self, repeating: 0, count: StockNeighbour.receiveSize + 2 * StockData.maxPayload)
        try announce()
        try sendHello()
    }

    deinit {
        close(socket)
        buffer.deallocate()
    }

    // MARK: Out

    /// Sends all bytes, which must be whole frames.
    func send(_ bytes: UnsafeRawPointer, _ count: Int) throws(BenchError) {
        var sent = 0
        while sent < count {
            let done = Glibc.send(socket, bytes + sent, count - sent, Int32(MSG_NOSIGNAL))
            guard done > 0 else {
                if done < 0, errno == EINTR { continue }
                throw .system("the node takes nothing more over TCP")
            }
            sent += done
        }
    }

    func send(_ tlv: BabelTLV) throws(BenchError) {
        let body = tlv.body
        guard let frame = StockFrame.control([tlv.type, UInt8(truncatingIfNeeded: body.count)] + body) else { return }
        try send(frame, frame.count)
    }

    /// Announces the own /64.
    func announce() throws(BenchError) {
        try send(
            .update(
                BabelTLV.Update(
                    prefix: prefix, routerID: routerID, seqno: seqno, metric: 0,
                    interval: StockNeighbour.intervals.update)))
    }

    func sendHello() throws(BenchError) {
        lastHello = cbench_now()
        try send(.hello(BabelTLV.Hello(seqno: helloSeqno, interval: StockNeighbour.intervals.hello)))
        helloSeqno &+= 1
    }

    /// Sends the next Hello when it is due.
    func keepAlive() throws(BenchError) {
        if cbench_now() &- lastHello > StockNeighbour.helloInterval { try sendHello() }
    }

    // MARK: In

    /// Takes what is there, or else waits for it for `milliseconds` at most. Bytes received, 0 when nothing came.
    func receive(within milliseconds: Int32) throws(BenchError) -> Int {
        makeRoom()
        let count = try take()
        guard count == 0, milliseconds > 0 else { return count }
        var polled = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, milliseconds) > 0 ? try take() : 0
    }

    private func take() throws(BenchError) -> Int {
        try took(recv(socket, buffer + end, StockNeighbour.receiveSize, Int32(MSG_DONTWAIT)))
    }

    /// Takes what is there at once, and tells when the kernel got it; 0 bytes when nothing is there.
    func receive(stamp: inout UInt64) throws(BenchError) -> Int {
        makeRoom()
        let count = cbench_receive_stamped(
            socket, buffer + end, StockNeighbour.receiveSize, Int32(MSG_DONTWAIT), &stamp)
        return try took(count)
    }

    private func took(_ count: Int) throws(BenchError) -> Int {
        guard count > 0 else {
            if count < 0, errno == EAGAIN || errno == EINTR { return 0 }
            throw count == 0 ? .failed("the node closed a TCP link") : .system("a TCP link of the node broke")
        }
        end += count
        return count
    }

    /// Moves the beginning of a frame to the front, so that a whole receive fits behind it.
    private func makeRoom() {
        if begin > 0 { buffer.copyMemory(from: buffer + begin, byteCount: end - begin) }
        end -= begin
        begin = 0
    }

    /// The next whole frame; nil when more must be received first. Valid until then.
    @inline(__always)
    func nextFrame() throws(BenchError) -> UnsafeRawBufferPointer? {
        let frame = UnsafeRawPointer(buffer + begin)
        let length: Int
        switch StockFrame.scan(frame, count: end - begin) {
        case .incomplete: return nil
        case .data(let count), .control(let count), .meaningless(let count): length = count
        case .badVersion, .badType: throw .failed("what the node writes over TCP are no frames")
        }
        guard end - begin >= length else { return nil }
        begin += length
        return UnsafeRawBufferPointer(start: frame, count: length)
    }

    /// Does what a stock node does with a control frame; any other frame is left alone.
    func take(control frame: UnsafeRawBufferPointer) throws(BenchError) {
        guard let body = StockFrame.controlBody(frame), body.count >= 2,
            case .tlv(let tlv, strayBits: _) = BabelTLV.decode(
                type: body[0], body: UnsafeRawBufferPointer(rebasing: body[2...]))
        else { return }
        switch tlv {
        case .hello: try send(.ihu(BabelTLV.IHU(receiveCost: 15, interval: StockNeighbour.intervals.ihu)))
        case .ihu: answers &+= 1
        case .update(let update):
            if update.metric == 0xFFFF { routes.remove(update.prefix) } else { routes.insert(update.prefix) }
        case .routeRequest(let request):
            if request.prefix == nil || request.prefix == prefix { try announce() }
        case .seqnoRequest(let request):
            guard request.prefix == prefix, request.routerID == routerID else { return }
            seqno &+= 1
            try announce()
        }
    }

    /// Asks for a route as a stock node with a packet does, and takes control frames until it is announced.
    func waitForRoute(to prefix: Prefix, within seconds: Double) throws(BenchError) {
        let start = cbench_now()
        var asked: UInt64 = 0
        while !routes.contains(prefix) {
            let passed = cbench_now() &- start
            guard passed < UInt64(seconds * 1e9) else {
                throw .failed("the node announced no route to \(prefix) within \(seconds) s")
            }
            if passed >= asked &* 1_000_000_000 {
                asked &+= 1
                try send(.routeRequest(BabelTLV.RouteRequest(prefix: prefix)))
            }
            guard try receive(within: 20) > 0 else { continue }
            while let frame = try nextFrame() { try take(control: frame) }
        }
    }
}
