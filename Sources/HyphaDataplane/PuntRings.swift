import HyphaBase
import HyphaInterchange
import HyphaPacket
import HyphaWire

/// A worker's ends of the rings towards control. Bytes are copied into the ring: a punt never holds a buffer.
struct PuntRings: ~Copyable {
    private var handshakes: RingProducer
    private var packets: RingProducer
    private var notices: RingProducer
    private let port: WorkerPort

    init(_ port: WorkerPort) {
        self.port = port
        handshakes = port.handshakes.makeProducer()
        packets = port.punted.makeProducer()
        notices = port.notices.makeProducer()
    }

    /// A link handshake datagram; false when the ring is full.
    mutating func handshake(
        _ bytes: UnsafeRawPointer, length: Int, sender: SocketAddress, socket: UInt8
    ) -> Bool {
        guard length <= PuntedPacket.maxHandshake, let record = handshakes.reserve() else { return false }
        record.storeBytes(
            of: PuntedPacket(kind: .handshake, length: length, socket: socket, sender: sender), as: PuntedPacket.self)
        (record + PuntedPacket.headSize).copyMemory(from: bytes, byteCount: length)
        handshakes.advance()
        return true
    }

    /// A packet or message of another kind; false when the ring is full or it is too long.
    mutating func packet(
        _ kind: PuntedPacket.Kind, _ bytes: UnsafeRawPointer, length: Int, link: UInt32
    ) -> Bool {
        guard length <= PuntedPacket.maxPacket, let record = packets.reserve() else { return false }
        record.storeBytes(of: PuntedPacket(kind: kind, length: length, link: link), as: PuntedPacket.self)
        (record + PuntedPacket.headSize).copyMemory(from: bytes, byteCount: length)
        packets.advance()
        return true
    }

    /// Records of the ring that are not for the words of TCP links: these can wait, others would be lost.
    static let unheldRecords = 64

    /// The body of a control frame of a TCP connection, at most `PuntedPacket.maxPacket` bytes; false when it has to wait.
    mutating func streamControl(_ body: UnsafeRawBufferPointer, connection: UInt32) -> Bool {
        guard let bytes = body.baseAddress, body.count <= PuntedPacket.maxPacket,
            let record = packets.reserve(leaving: PuntRings.unheldRecords)
        else { return false }
        record.storeBytes(
            of: PuntedPacket(kind: .streamControl, length: body.count, link: connection), as: PuntedPacket.self)
        (record + PuntedPacket.headSize).copyMemory(from: bytes, byteCount: body.count)
        packets.advance()
        return true
    }

    /// Control entries of an end-to-end body, behind the routing header they came under.
    mutating func flowControl(
        _ header: UnsafeRawPointer, _ bytes: UnsafeRawPointer, length: Int, link: UInt32
    ) -> Bool {
        let total = RoutingHeader.size + length
        guard total <= PuntedPacket.maxPacket, let record = packets.reserve() else { return false }
        record.storeBytes(of: PuntedPacket(kind: .flowControl, length: total, link: link), as: PuntedPacket.self)
        let place = record + PuntedPacket.headSize
        place.copyMemory(from: header, byteCount: RoutingHeader.size)
        (place + RoutingHeader.size).copyMemory(from: bytes, byteCount: length)
        packets.advance()
        return true
    }

    /// A TCP connection that is there; false when the ring is full.
    mutating func streamOpened(_ opening: StreamOpening, connection: UInt32, sender: SocketAddress) -> Bool {
        guard let record = packets.reserve() else { return false }
        record.storeBytes(
            of: PuntedPacket(kind: .streamOpened, length: StreamOpening.size, link: connection, sender: sender),
            as: PuntedPacket.self)
        (record + PuntedPacket.headSize).storeBytes(of: opening, as: StreamOpening.self)
        packets.advance()
        return true
    }

    /// True when the next notice will not be lost.
    mutating func hasRoomForNotice() -> Bool { notices.reserve() != nil }

    /// A notice; false when the ring is full.
    @discardableResult
    mutating func notice(_ kind: Notice.Kind, id: UInt32 = .max, slot: UInt32 = .max) -> Bool {
        notice(Notice(kind, id: id, slot: slot))
    }

    /// A notice; false when the ring is full.
    mutating func notice(_ notice: Notice) -> Bool {
        guard let record = notices.reserve() else { return false }
        record.storeBytes(of: notice, as: Notice.self)
        notices.advance()
        return true
    }

    /// Makes everything visible to control; true when control sleeps and must be woken.
    mutating func publish() -> Bool {
        let any = handshakes.publish()
        let more = packets.publish()
        let told = notices.publish()
        guard any || more || told else { return false }
        return port.takeControlSleep()
    }
}
