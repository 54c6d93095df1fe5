internal import CUring
internal import Glibc
internal import HyphaBase
internal import HyphaPacket

/// A fixed number of sends under way. All memory is allocated once; slots are reused most recent first.
///
/// | per slot | bytes |
/// |---|---|
/// | message header | 56 |
/// | destination, `sockaddr_in6` or `sockaddr_in` | 28 |
/// | control message UDP_SEGMENT | 24 |
/// | record | 36 |
/// | stretches, 128 x `iovec` | 2,048 |
/// | buffers, 128 x number | 512 |
struct SendSlots {
    static let tun: Int32 = -1
    static let maxVectors = Train.maxPieces
    /// CMSG_SPACE(2): header 16, value 2, padding 6.
    static let controlSize = 24
    /// CMSG_LEN(2).
    static let controlLength = 18
    static let udpSegment: Int32 = 103

    let capacity: Int
    let records: UnsafeMutablePointer<SendRecord>
    private let headers: UnsafeMutablePointer<msghdr>
    private let destinations: UnsafeMutablePointer<sockaddr_in6>
    private let controls: UnsafeMutableRawPointer
    private let vectors: UnsafeMutablePointer<iovec>
    private let buffers: UnsafeMutablePointer<UInt32>
    private let free: UnsafeMutablePointer<Int32>
    private(set) var freeCount: Int

    init(capacity: Int) {
        self.capacity = capacity
        records = .allocate(capacity: capacity)
        records.initialize(repeating: SendRecord(), count: capacity)
        headers = .allocate(capacity: capacity)
        destinations = .allocate(capacity: capacity)
        destinations.initialize(repeating: sockaddr_in6(), count: capacity)
        controls = .allocate(byteCount: capacity * SendSlots.controlSize, alignment: 8)
        vectors = .allocate(capacity: capacity * SendSlots.maxVectors)
        vectors.initialize(repeating: iovec(), count: capacity * SendSlots.maxVectors)
        buffers = .allocate(capacity: capacity * SendSlots.maxVectors)
        buffers.initialize(repeating: 0, count: capacity * SendSlots.maxVectors)
        free = .allocate(capacity: capacity)
        for slot in 0..<capacity {
            let control = controls + slot * SendSlots.controlSize
            control.initializeMemory(as: UInt8.self, repeating: 0, count: SendSlots.controlSize)
            control.storeBytes(of: SendSlots.controlLength, as: Int.self)
            control.storeBytes(of: Int32(IPPROTO_UDP), toByteOffset: 8, as: Int32.self)
            control.storeBytes(of: SendSlots.udpSegment, toByteOffset: 12, as: Int32.self)
            var header = msghdr()
            header.msg_name = UnsafeMutableRawPointer(destinations + slot)
            header.msg_iov = vectors + slot * SendSlots.maxVectors
            header.msg_control = control
            (headers + slot).initialize(to: header)
            free[slot] = Int32(capacity - 1 - slot)
        }
        freeCount = capacity
    }

    func deallocate() {
        records.deallocate()
        headers.deallocate()
        destinations.deallocate()
        controls.deallocate()
        vectors.deallocate()
        buffers.deallocate()
        free.deallocate()
    }

    /// A free slot, -1 when all are under way.
    @inline(__always)
    mutating func take() -> Int32 {
        guard freeCount > 0 else { return -1 }
        freeCount &-= 1
        return free[freeCount]
    }

    @inline(__always)
    mutating func giveBack(_ slot: Int32) {
        free[freeCount] = slot
        freeCount &+= 1
    }

    @inline(__always)
    func header(_ slot: Int32) -> UnsafeMutablePointer<msghdr> { headers + Int(slot) }
    @inline(__always)
    func vectors(_ slot: Int32) -> UnsafeMutablePointer<iovec> { vectors + Int(slot) &* SendSlots.maxVectors }
    @inline(__always)
    func buffers(_ slot: Int32) -> UnsafeMutablePointer<UInt32> { buffers + Int(slot) &* SendSlots.maxVectors }

    /// Takes the train's bytes and references into a slot. Adjacent pieces become one stretch, and of several
    /// references on one buffer in a row one is kept.
    @inline(__always)
    func fill(_ slot: Int32, _ train: borrowing Train, socket: Int32, pool: PacketPool) {
        let vectors = vectors(slot)
        let buffers = buffers(slot)
        var vectorCount = 0
        var bufferCount = 0
        var last: UInt32 = .max
        var end: UInt32 = 0
        var length: UInt = 0
        let count = min(train.pieceCount, SendSlots.maxVectors)
        for i in 0..<count {
            let piece = train.pieces[i]
            if piece.buffer == last {
                pool.release(piece.buffer)
            } else {
                buffers[bufferCount] = piece.buffer
                bufferCount &+= 1
            }
            if piece.buffer == last && piece.offset == end {
                vectors[vectorCount &- 1].iov_len &+= Int(piece.length)
            } else {
                let start = pool.base(piece.buffer) + Int(piece.offset)
                vectors[vectorCount] = iovec(iov_base: start, iov_len: Int(piece.length))
                vectorCount &+= 1
            }
            last = piece.buffer
            end = piece.offset &+ piece.length
            length &+= UInt(piece.length)
        }
        records[Int(slot)] = SendRecord(
            packets: Int32(truncatingIfNeeded: train.packetCount), length: Int32(truncatingIfNeeded: length),
            segmentSize: Int32(truncatingIfNeeded: train.segmentSize),
            bufferCount: Int32(truncatingIfNeeded: bufferCount), vectorCount: Int32(truncatingIfNeeded: vectorCount),
            socket: socket)
    }

    /// Releases the references of a slot.
    @inline(__always)
    func releaseBuffers(_ slot: Int32, pool: PacketPool) {
        let buffers = buffers(slot)
        for i in 0..<Int(records[Int(slot)].bufferCount) { pool.release(buffers[i]) }
    }

    /// Writes the destination; an IPv4 socket takes the mapped address's last four bytes.
    @inline(__always)
    func setDestination(_ slot: Int32, _ address: SocketAddress, ipv4: Bool) {
        let bytes = UnsafeMutableRawPointer(destinations + Int(slot))
        bytes.storeBytes(of: address.port.bigEndian, toByteOffset: 2, as: UInt16.self)
        if ipv4 {
            bytes.storeBytes(of: UInt16(AF_INET), as: UInt16.self)
            let v4 = UInt32(truncatingIfNeeded: address.address.low)
            bytes.storeBytes(of: v4.bigEndian, toByteOffset: 4, as: UInt32.self)
            headers[Int(slot)].msg_namelen = 16
        } else {
            bytes.storeBytes(of: UInt16(AF_INET6), as: UInt16.self)
            bytes.storeBytes(of: 0, toByteOffset: 4, as: UInt32.self)
            address.address.store(to: bytes + 8)
            bytes.storeBytes(of: address.scope, toByteOffset: 24, as: UInt32.self)
            headers[Int(slot)].msg_namelen = 28
        }
    }

    /// Gives a part its parent's destination.
    func copyDestination(from parent: Int32, to part: Int32) {
        destinations[Int(part)] = destinations[Int(parent)]
        headers[Int(part)].msg_namelen = headers[Int(parent)].msg_namelen
    }

    /// Completes the message header from the record: stretches, and the segment size of a train.
    @inline(__always)
    func finishHeader(_ slot: Int32) {
        let header = headers + Int(slot)
        let record = records + Int(slot)
        header.pointee.msg_iovlen = Int(record.pointee.vectorCount)
        if record.pointee.packets > 1 {
            let size = UInt16(truncatingIfNeeded: record.pointee.segmentSize)
            (controls + Int(slot) &* SendSlots.controlSize).storeBytes(of: size, toByteOffset: 16, as: UInt16.self)
            header.pointee.msg_controllen = SendSlots.controlSize
        } else {
            header.pointee.msg_controllen = 0
        }
    }
}
