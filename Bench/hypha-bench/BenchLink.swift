import CAEAD
import CBench
import CSodium
import Glibc
import HyphaBase
import HyphaIdentity
import HyphaWire

/// A link of the benchmark with the node under test: socket, handshake and keys. Not thread-safe.
final class BenchLink {
    /// The lane of measured traffic; link messages go on lane 0.
    static let dataLane = 1
    /// Bytes of the kernel's queues: what the limit probes of packet rates use.
    static let receiveBuffer: Int32 = 32 << 20
    static let sendBuffer: Int32 = 8 << 20
    /// A session older than this is renewed before the next burst, long before the node would renew it itself.
    static let maximumAge: UInt64 = 60_000_000_000

    let socket: Int32
    let context: OpaquePointer
    /// Our receiver index and the node's.
    private(set) var index: UInt32 = 0
    private(set) var peerIndex: UInt32 = 0
    /// Next counter of the data lane.
    var nextCounter: UInt64 = 0

    private let identity: NodeIdentity
    private let peer: PublicKey
    private let suite: CipherSuite
    private let mode: SealMode
    private let bootID: UInt64
    private var handshakes: UInt32 = 0
    private var established: UInt64 = 0
    private var nextControlCounter: UInt64 = 0
    private var lanes = 0
    /// Expanded keys: send lane 0 and data lane, then receive lanes.
    private let keys: UnsafeMutableRawPointer
    private static let keyCount = 2 + SessionSecrets.laneCount

    init(
        secret: [UInt8], peer: PublicKey, relay: SocketAddress, suite: CipherSuite, mode: SealMode
    ) throws(BenchError) {
        guard sodium_init() >= 0 else { throw .failed("libsodium does not start") }
        guard let identity = NodeIdentity(secret: secret) else { throw .failed("the secret key is not 32 bytes") }
        guard let context = caead_context_create() else { throw .failed("no memory for packet ciphers") }
        self.identity = identity
        self.peer = peer
        self.suite = suite
        self.mode = mode
        self.context = context
        bootID = BenchLink.randomNumber()
        keys = .allocate(byteCount: BenchLink.keyCount * Int(CAEAD_KEY_SIZE), alignment: 64)
        keys.initializeMemory(as: UInt8.self, repeating: 0, count: BenchLink.keyCount * Int(CAEAD_KEY_SIZE))
        socket = cbench_socket(BenchLink.receiveBuffer, BenchLink.sendBuffer)
        guard socket >= 0 else { throw .system("cannot make a UDP socket with UDP_GRO") }
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = relay.port.bigEndian
        withUnsafeMutableBytes(of: &address.sin6_addr) { bytes in
            if let base = bytes.baseAddress { relay.address.store(to: base) }
        }
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
        guard connected == 0 else { throw .system("cannot connect to \(relay)") }
    }

    deinit {
        close(socket)
        for i in 0..<BenchLink.keyCount { caead_key_wipe(keys + i * Int(CAEAD_KEY_SIZE)) }
        keys.deallocate()
        caead_context_destroy(context)
    }

    static func randomBytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        randombytes_buf(&bytes, count)
        return bytes
    }

    static func randomNumber() -> UInt64 {
        var value: UInt64 = 0
        randombytes_buf(&value, 8)
        return value
    }

    /// The key that seals on the data lane.
    var sendKey: UnsafeRawPointer { UnsafeRawPointer(keys + Int(CAEAD_KEY_SIZE)) }

    /// The key that opens what comes on a lane; nil when the session does not have that lane.
    func receiveKey(lane: Int) -> UnsafeRawPointer? {
        lane < lanes ? UnsafeRawPointer(keys + (2 + lane) * Int(CAEAD_KEY_SIZE)) : nil
    }

    /// True when the session is missing or so old that a new one should be made now.
    var isStale: Bool { established == 0 || cbench_now() &- established > BenchLink.maximumAge }

    /// Makes a session and confirms it. What the socket holds from before is lost.
    func establish(within seconds: Double) throws(BenchError) {
        handshakes &+= 1
        let fields = InitFields(
            seconds: UInt64(clamping: time(nil)), count: handshakes, caps: 0,
            largestDatagram: UInt16(RelayTraffic.largestDatagram), sealModes: 3, lanes: UInt8(SessionSecrets.laneCount),
            bootID: bootID)
        let index = UInt32(truncatingIfNeeded: BenchLink.randomNumber()) | 1
        guard
            let initiator = Initiator(
                identity: identity, peer: peer, scope: .link, network: .open,
                ephemeralSecret: BenchLink.randomBytes(32), index: index, offeredSuites: suite.offer, fields: fields)
        else { throw .failed("the node's key \(peer) has no shared secret with ours") }

        let deadline = cbench_now() &+ UInt64(seconds * 1e9)
        var cookie: [UInt8]?
        var wait: UInt64 = 250_000_000
        while cbench_now() < deadline {
            let message = initiator.message(cookie: cookie)
            _ = Glibc.send(socket, message, message.count, 0)
            let retry = min(cbench_now() &+ wait, deadline)
            wait = min(wait &* 2, 1_000_000_000)
            while let answer = receive(until: retry) {
                if let received = initiator.acceptCookie(answer) {
                    cookie = received
                    break
                }
                if let accepted = initiator.accept(response: answer) {
                    try install(accepted.secrets, accepted.fields, index: index, peerIndex: accepted.peerIndex)
                    return
                }
            }
        }
        throw .failed("the node did not answer the handshake within \(seconds) s")
    }

    private func install(
        _ secrets: SessionSecrets, _ fields: RespFields, index: UInt32, peerIndex: UInt32
    ) throws(BenchError) {
        guard secrets.suite == suite.number else {
            throw .failed(
                "the node agreed on suite \(secrets.suite) where \(suite.number) (\(suite.rawValue)) is wanted")
        }
        guard secrets.lanes > BenchLink.dataLane else {
            throw .failed("the node takes \(secrets.lanes) lane, the benchmark needs two")
        }
        guard mode == .full || fields.sealModes & 2 != 0 else {
            throw .failed("the node does not take header-sealed packets")
        }
        lanes = secrets.lanes
        for lane in 0...BenchLink.dataLane { expand(secrets.sendLaneKey(lane), into: lane) }
        for lane in 0..<lanes { expand(secrets.receiveLaneKey(lane), into: 2 + lane) }
        self.index = index
        self.peerIndex = peerIndex
        nextCounter = 0
        nextControlCounter = 0
        established = cbench_now()
        sendKeepalive()
    }

    private func expand(_ raw: [UInt8], into slot: Int) {
        var raw = raw
        caead_key_init(context, keys + slot * Int(CAEAD_KEY_SIZE), Int32(suite.number), raw)
        sodium_memzero(&raw, raw.count)
    }

    /// The next datagram, nil after `deadline`.
    private func receive(until deadline: UInt64) -> [UInt8]? {
        let now = cbench_now()
        guard now < deadline else { return nil }
        var polled = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        guard poll(&polled, 1, Int32((deadline &- now) / 1_000_000 &+ 1)) > 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(socket, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        // An ICMP error of the datagram before is an answer too, but not one that counts.
        return Array(bytes[..<max(0, count)])
    }

    /// Sends an empty type 4: it confirms a new session and keeps an old one in use.
    func sendKeepalive() {
        var datagram = [UInt8](repeating: 0, count: LinkHeader.fullMinimum)
        datagram.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            LinkHeader.write(
                base, type: LinkHeader.Kind.full.rawValue, lane: 0, index: peerIndex, counter: nextControlCounter)
            let bytes = base.assumingMemoryBound(to: UInt8.self)
            var job = caead_job()
            job.key = UnsafeRawPointer(keys)
            job.data = bytes + LinkHeader.size
            job.tag = bytes + LinkHeader.size
            job.ad = UnsafePointer(bytes)
            job.ad_length = UInt32(LinkHeader.size)
            job.counter = nextControlCounter
            caead_seal(context, &job, 1)
        }
        nextControlCounter &+= 1
        _ = Glibc.send(socket, datagram, datagram.count, 0)
    }
}
