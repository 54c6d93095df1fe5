import HyphaPacket
import HyphaWire

/// One read of the TUN: an IPv6 packet, or a super-packet that stands for many segments with equal headers.
///
/// The kernel wrote it, but nothing in it is trusted: every field is checked against the length.
struct TunPacket {
    enum Shape {
        /// One packet; its checksum is complete or only needs the sum over its bytes.
        case single
        case tcp
        case udp
    }

    let bytes: UnsafeMutableRawPointer
    /// IPv6 header and all that follows.
    let length: Int
    let shape: Shape
    /// True when the checksum field holds only the pseudo-header sum.
    let needsChecksum: Bool
    /// Where the transport header starts.
    let transport: Int
    /// Offset of the checksum field in the transport header.
    let checksumOffset: Int
    /// All headers of a segment, IPv6 included.
    let headerLength: Int
    /// Payload bytes of every segment but the last.
    let segmentSize: Int
    /// Packets that it stands for.
    let segments: Int

    /// Reads virtio header and packet; nil when it is not well-formed IPv6 or its offload fields do not fit it.
    init?(_ start: UnsafeMutableRawPointer, length total: Int) {
        guard total >= VirtioHeader.size + IPv6Header.size else { return nil }
        bytes = start + VirtioHeader.size
        length = total - VirtioHeader.size
        let flags = start.load(as: UInt8.self)
        let type = start.load(fromByteOffset: 1, as: UInt8.self) & ~VirtioHeader.ecn
        needsChecksum = flags & VirtioHeader.needsChecksum != 0
        transport = VirtioHeader.field(start, 6)
        checksumOffset = VirtioHeader.field(start, 8)
        guard bytes.load(as: UInt8.self) &>> 4 == 6 else { return nil }
        if needsChecksum || type != 0 {
            guard transport >= IPv6Header.size, transport + checksumOffset + 2 <= length else { return nil }
        }
        guard type != 0 else {
            guard IPv6Header.isWellFormed(bytes, length: length) else { return nil }
            shape = .single
            headerLength = IPv6Header.size
            segmentSize = 0
            segments = 1
            return
        }
        let size = VirtioHeader.field(start, 4)
        switch type {
        case VirtioHeader.tcp6:
            guard checksumOffset == 16, transport + 20 <= length else { return nil }
            let header = Int(bytes.load(fromByteOffset: transport + 12, as: UInt8.self) >> 4) * 4
            guard header >= 20 else { return nil }
            shape = .tcp
            headerLength = transport + header
        case VirtioHeader.udp:
            guard checksumOffset == 6, transport + 8 <= length else { return nil }
            shape = .udp
            headerLength = transport + 8
        default: return nil
        }
        guard size > 0, headerLength < length else { return nil }
        segmentSize = size
        segments = (length - headerLength + size - 1) / size
    }

    /// Bytes of the largest packet that it stands for.
    var largestPacket: Int { shape == .single ? length : headerLength + min(segmentSize, length - headerLength) }

    /// Bytes of segment `k`, IPv6 header included.
    @inline(__always)
    func packetLength(_ k: Int) -> Int {
        shape == .single ? length : headerLength &+ min(segmentSize, length &- headerLength &- k &* segmentSize)
    }

    /// Writes segment `k` behind the IPv6 header's place: transport header and payload, with its own sequence number,
    /// flags, length and checksum, to `out`. Writes `packetLength(k)` - 40 bytes.
    @inline(__always)
    func writePayload(_ k: Int, to out: UnsafeMutableRawPointer) {
        let whole = packetLength(k)
        let payload = whole &- IPv6Header.size
        guard shape != .single else {
            out.copyMemory(from: bytes + IPv6Header.size, byteCount: payload)
            if needsChecksum {
                let at = out + (transport &- IPv6Header.size)
                var sum = ~Checksum.fold(Checksum.add(at, count: whole &- transport))
                if sum == 0, checksumOffset == 6 { sum = 0xFFFF }
                at.storeBytes(of: sum, toByteOffset: checksumOffset, as: UInt16.self)
            }
            return
        }
        let headers = headerLength &- IPv6Header.size
        out.copyMemory(from: bytes + IPv6Header.size, byteCount: headers)
        let start = headerLength &+ k &* segmentSize
        (out + headers).copyMemory(from: bytes + start, byteCount: whole &- headerLength)
        let at = out + (transport &- IPv6Header.size)
        let transportLength = whole &- transport
        if shape == .tcp {
            let sequence = UInt32(bigEndian: at.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
            let moved = sequence &+ UInt32(truncatingIfNeeded: k &* segmentSize)
            at.storeBytes(of: moved.bigEndian, toByteOffset: 4, as: UInt32.self)
            var flags = at.load(fromByteOffset: 13, as: UInt8.self)
            // FIN and PSH belong to the last segment, CWR to the first.
            if start &+ segmentSize < length { flags &= ~0x09 }
            if k > 0 { flags &= ~0x80 }
            at.storeBytes(of: flags, toByteOffset: 13, as: UInt8.self)
        } else {
            at.storeBytes(
                of: UInt16(truncatingIfNeeded: transportLength).bigEndian, toByteOffset: 4, as: UInt16.self)
        }
        at.storeBytes(of: 0, toByteOffset: checksumOffset, as: UInt16.self)
        let pseudo = Checksum.pseudoHeader(ipv6: bytes, length: transportLength, nextHeader: shape == .tcp ? 6 : 17)
        var sum = ~Checksum.fold(Checksum.add(at, count: transportLength, to: pseudo))
        if sum == 0, shape == .udp { sum = 0xFFFF }
        at.storeBytes(of: sum, toByteOffset: checksumOffset, as: UInt16.self)
    }
}
