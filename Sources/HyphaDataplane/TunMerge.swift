import HyphaBase
import HyphaPacket
import HyphaWire

/// Joins consecutive TCP segments of one flow into one write to the TUN (the reverse of segmentation offload).
///
/// A segment joins when its headers equal those of the first but for sequence number, length, checksum, and the PSH and
/// FIN flags, its payload is as long as the first's or shorter (which ends the merge), and it continues the sequence.
/// FIN ends a merge; PSH is carried. Other packets go one by one.
struct TunMerge {
    /// Most bytes of a merged packet: its length field has 16 bits.
    private static let maxBytes = 65_500

    private let pool: PacketPool
    private let counters: WorkerCounters
    private var train = Train()
    /// The first packet of the merge.
    private var first: UnsafeMutableRawPointer?
    private var headerLength = 0
    private var segmentSize = 0
    private var nextSequence: UInt32 = 0
    /// True when nothing more may join.
    private var isClosed = true

    init(pool: PacketPool, counters: WorkerCounters) {
        self.pool = pool
        self.counters = counters
    }

    func deallocate() { train.deallocate() }

    /// Takes one inner packet; at least `VirtioHeader.size` bytes in front of it are free to write.
    @inline(__always)
    mutating func append<IO: PacketIO & ~Copyable>(_ packet: Descriptor, _ io: inout IO) {
        let bytes = pool.base(packet.buffer) + Int(packet.offset)
        let length = Int(packet.length)
        let header = TunMerge.mergeableHeader(bytes, length)
        if header > 0, join(packet, bytes, length, header) { return }
        flush(&io)
        start(packet, bytes, length, header)
        if header == 0 { flush(&io) }
    }

    /// Bytes of IPv6 and TCP header when the packet may take part in a merge, else 0.
    @inline(__always)
    private static func mergeableHeader(_ bytes: UnsafeRawPointer, _ length: Int) -> Int {
        guard length >= 60, IPv6Header.nextHeader(bytes) == 6 else { return 0 }
        let header = IPv6Header.size &+ Int(bytes.load(fromByteOffset: 52, as: UInt8.self) &>> 4) &* 4
        // Payload, at least 20 bytes of TCP header, and no flag but ACK, PSH, FIN.
        guard header >= 60, header < length, bytes.load(fromByteOffset: 53, as: UInt8.self) & ~0x19 == 0 else {
            return 0
        }
        return header
    }

    @inline(__always)
    private mutating func join(
        _ packet: Descriptor, _ bytes: UnsafeMutableRawPointer, _ length: Int, _ header: Int
    ) -> Bool {
        guard let first, !isClosed, header == headerLength else { return false }
        let payload = length &- header
        guard payload <= segmentSize, train.totalLength &+ payload <= TunMerge.maxBytes,
            train.pieceCount < Train.maxPieces,
            UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 44, as: UInt32.self)) == nextSequence,
            TunMerge.sameHeaders(first, bytes, header)
        else { return false }
        pool.retain(packet.buffer)
        train.pieces[train.pieceCount] = Train.Piece(
            buffer: packet.buffer, offset: packet.offset &+ UInt32(truncatingIfNeeded: header),
            length: UInt32(truncatingIfNeeded: payload))
        train.pieceCount &+= 1
        train.packetCount &+= 1
        train.totalLength &+= payload
        nextSequence &+= UInt32(truncatingIfNeeded: payload)
        let flags = bytes.load(fromByteOffset: 53, as: UInt8.self)
        first.storeBytes(
            of: first.load(fromByteOffset: 53, as: UInt8.self) | flags & 0x09, toByteOffset: 53, as: UInt8.self)
        if payload < segmentSize || flags & 0x01 != 0 { isClosed = true }
        return true
    }

    /// Everything that must be equal: version, class and label; next header and hop limit; addresses and ports;
    /// acknowledgement and its flag; header length; window; urgent pointer; options.
    @inline(__always)
    private static func sameHeaders(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ header: Int) -> Bool {
        guard a.loadUnaligned(as: UInt32.self) == b.loadUnaligned(as: UInt32.self),
            a.loadUnaligned(fromByteOffset: 6, as: UInt16.self) == b.loadUnaligned(fromByteOffset: 6, as: UInt16.self),
            a.loadUnaligned(fromByteOffset: 8, as: UInt64.self) == b.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
            a.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
                == b.loadUnaligned(fromByteOffset: 16, as: UInt64.self),
            a.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
                == b.loadUnaligned(fromByteOffset: 24, as: UInt64.self),
            a.loadUnaligned(fromByteOffset: 32, as: UInt64.self)
                == b.loadUnaligned(fromByteOffset: 32, as: UInt64.self),
            a.loadUnaligned(fromByteOffset: 40, as: UInt32.self)
                == b.loadUnaligned(fromByteOffset: 40, as: UInt32.self),
            a.loadUnaligned(fromByteOffset: 48, as: UInt32.self)
                == b.loadUnaligned(fromByteOffset: 48, as: UInt32.self),
            a.load(fromByteOffset: 52, as: UInt8.self) == b.load(fromByteOffset: 52, as: UInt8.self),
            (a.load(fromByteOffset: 53, as: UInt8.self) ^ b.load(fromByteOffset: 53, as: UInt8.self)) & 0x10 == 0,
            a.loadUnaligned(fromByteOffset: 54, as: UInt16.self)
                == b.loadUnaligned(fromByteOffset: 54, as: UInt16.self),
            a.loadUnaligned(fromByteOffset: 58, as: UInt16.self)
                == b.loadUnaligned(fromByteOffset: 58, as: UInt16.self)
        else { return false }
        var i = 60
        while i < header {
            if a.loadUnaligned(fromByteOffset: i, as: UInt32.self)
                != b.loadUnaligned(fromByteOffset: i, as: UInt32.self)
            {
                return false
            }
            i &+= 4
        }
        return true
    }

    private mutating func start(
        _ packet: Descriptor, _ bytes: UnsafeMutableRawPointer, _ length: Int, _ header: Int
    ) {
        first = bytes
        headerLength = header
        segmentSize = length &- header
        pool.retain(packet.buffer)
        train.pieces[0] = Train.Piece(
            buffer: packet.buffer, offset: packet.offset &- UInt32(VirtioHeader.size),
            length: packet.length &+ UInt32(VirtioHeader.size))
        train.pieceCount = 1
        train.packetCount = 1
        train.totalLength = length &+ VirtioHeader.size
        isClosed = header == 0 || bytes.load(fromByteOffset: 53, as: UInt8.self) & 0x01 != 0
        if header > 0 {
            nextSequence =
                UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 44, as: UInt32.self))
                &+ UInt32(truncatingIfNeeded: segmentSize)
        }
    }

    /// Writes what is joined so far.
    mutating func flush<IO: PacketIO & ~Copyable>(_ io: inout IO) {
        guard let first else { return }
        self.first = nil
        let virtio = first - VirtioHeader.size
        if train.packetCount > 1 {
            let whole = train.totalLength &- VirtioHeader.size
            let transport = whole &- IPv6Header.size
            first.storeBytes(of: UInt16(truncatingIfNeeded: transport).bigEndian, toByteOffset: 4, as: UInt16.self)
            let pseudo = Checksum.fold(Checksum.pseudoHeader(ipv6: first, length: transport, nextHeader: 6))
            first.storeBytes(of: pseudo, toByteOffset: 56, as: UInt16.self)
            VirtioHeader.writeTCP6(
                virtio, headerLength: headerLength, segmentSize: segmentSize, transport: IPv6Header.size)
        } else {
            VirtioHeader.writePlain(virtio)
        }
        if !io.deliver(train) {
            counters.drop(io.hasTun ? .queueFull : .noListener, train.packetCount)
            for i in 0..<train.pieceCount { pool.release(train.pieces[i].buffer) }
        }
        train.clear()
    }
}
