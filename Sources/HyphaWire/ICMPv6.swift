public import HyphaBase

/// ICMPv6 errors (RFC 4443) that a node makes for packets it cannot carry.
public enum ICMPv6 {
    @frozen
    public enum Message: Equatable, Sendable {
        /// Type 1 code 0.
        case noRoute
        /// Type 1 code 3.
        case addressUnreachable
        /// Type 2 with the MTU in bytes.
        case packetTooBig(mtu: UInt32)
        /// Type 3 code 0.
        case timeExceeded

        @usableFromInline var typeCode: (type: UInt8, code: UInt8) {
            switch self {
            case .noRoute: (1, 0)
            case .addressUnreachable: (1, 3)
            case .packetTooBig: (2, 0)
            case .timeExceeded: (3, 0)
            }
        }
    }

    /// IPv6 header and ICMPv6 header.
    public static let overhead = 48
    /// Most bytes of a whole error packet (RFC 4443 section 2.4 c).
    public static let maxSize = 1_280

    /// True when RFC 4443 section 2.4 (e) forbids an error about this packet: an ICMPv6 error or redirect, a
    /// multicast destination, or a source that is not one node.
    public static func isErrorForbidden(about packet: UnsafeRawBufferPointer) -> Bool {
        guard packet.count >= 40, let base = packet.baseAddress else { return true }
        let source = IPv6Address(loading: base + 8)
        if source == IPv6Address(high: 0, low: 0) || source.high &>> 56 == 0xFF { return true }
        if packet[24] == 0xFF { return true }
        if packet[6] == 58 {
            guard packet.count > 40 else { return true }
            return packet[40] < 128 || packet[40] == 137
        }
        return false
    }

    /// Writes an error about `packet` to `out` (at least `maxSize` bytes) and returns its length; 0 when none may be
    /// sent. Source: `source`, the node's own address; destination: the packet's source; hop limit 64.
    public static func writeError(
        _ message: Message, about packet: UnsafeRawBufferPointer, source: IPv6Address, to out: UnsafeMutableRawPointer
    ) -> Int {
        guard !isErrorForbidden(about: packet), let base = packet.baseAddress else { return 0 }
        let quoted = min(packet.count, maxSize - overhead)
        let length = 8 + quoted
        out.storeBytes(of: UInt32(0x6000_0000).bigEndian, as: UInt32.self)
        out.storeBytes(of: UInt16(truncatingIfNeeded: length).bigEndian, toByteOffset: 4, as: UInt16.self)
        out.storeBytes(of: 58, toByteOffset: 6, as: UInt8.self)
        out.storeBytes(of: 64, toByteOffset: 7, as: UInt8.self)
        source.store(to: out + 8)
        IPv6Address(loading: base + 8).store(to: out + 24)
        let (type, code) = message.typeCode
        out.storeBytes(of: type, toByteOffset: 40, as: UInt8.self)
        out.storeBytes(of: code, toByteOffset: 41, as: UInt8.self)
        out.storeBytes(of: 0, toByteOffset: 42, as: UInt16.self)
        var value: UInt32 = 0
        if case .packetTooBig(let mtu) = message { value = mtu }
        out.storeBytes(of: value.bigEndian, toByteOffset: 44, as: UInt32.self)
        (out + 48).copyMemory(from: base, byteCount: quoted)
        let sum = Checksum.add(
            out + 40, count: length, to: Checksum.pseudoHeader(ipv6: out, length: length, nextHeader: 58))
        out.storeBytes(of: ~Checksum.fold(sum), toByteOffset: 42, as: UInt16.self)
        return 40 + length
    }
}
