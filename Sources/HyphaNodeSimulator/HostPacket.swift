import HyphaBase

/// A packet of a host: IPv6 and UDP, everything in it follows from its number, so that content can be checked.
struct HostPacket {
    static let headerSize = 48
    static let hopLimit: UInt8 = 64
    /// Ports from which packets come and go.
    static let port = 7_000
    private static let virtioSize = 10

    /// Numbered from 0 on in a run.
    let number: Int
    let from: Int
    let to: Int
    /// Bytes behind the UDP header, at least 8: the number.
    let size: Int
    let sentAt: Instant
    /// The packet that it answers.
    let question: Int?
    var isDelivered = false
    var isAnswered = false

    /// The packet as the host writes it.
    func bytes(from source: IPv6Address, to destination: IPv6Address) -> [UInt8] {
        let length = 8 + size
        var packet: [UInt8] = [0x60, 0, UInt8(number >> 8 & 255), UInt8(number & 255)]
        packet += HostPacket.pair(length) + [17, HostPacket.hopLimit] + source.bytes + destination.bytes
        packet +=
            HostPacket.pair(HostPacket.port) + HostPacket.pair(HostPacket.port) + HostPacket.pair(length) + [0, 0]
        for shift in stride(from: 56, through: 0, by: -8) { packet.append(UInt8(truncatingIfNeeded: number >> shift)) }
        var filler = Seed(UInt64(number))
        while packet.count < HostPacket.headerSize + size {
            var word = filler.next()
            for _ in 0..<min(8, HostPacket.headerSize + size - packet.count) {
                packet.append(UInt8(truncatingIfNeeded: word))
                word >>= 8
            }
        }
        // Source, destination, length and protocol stand in front of the segment, as in RFC 8200, 8.1.
        let sum = HostPacket.checksum(HostPacket.pair(length) + [0, 17] + packet[8...])
        packet[46] = UInt8(sum >> 8)
        packet[47] = UInt8(sum & 255)
        return packet
    }

    /// A read of the TUN with a packet.
    static func read(_ packet: [UInt8]) -> [UInt8] { [UInt8](repeating: 0, count: virtioSize) + packet }

    /// The packet in a write to the TUN.
    static func packet(_ write: [UInt8]) -> ArraySlice<UInt8> { write.dropFirst(virtioSize) }

    /// The number of the packet whose first bytes these are; nil for others.
    static func number(_ packet: ArraySlice<UInt8>) -> Int? {
        guard packet.count >= headerSize + 8, packet[packet.startIndex] >> 4 == 6, packet[packet.startIndex + 6] == 17
        else { return nil }
        var number: UInt64 = 0
        for byte in packet.dropFirst(headerSize).prefix(8) { number = number << 8 | UInt64(byte) }
        return Int(exactly: number)
    }

    private static func pair(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }

    /// The Internet checksum of an even or odd number of bytes; never zero, as UDP wants it.
    private static func checksum(_ bytes: some Collection<UInt8>) -> Int {
        var sum = 0
        var isHigh = true
        for byte in bytes {
            sum += isHigh ? Int(byte) << 8 : Int(byte)
            isHigh.toggle()
        }
        while sum > 0xFFFF { sum = (sum & 0xFFFF) + (sum >> 16) }
        return sum == 0xFFFF ? 0xFFFF : 0xFFFF - sum
    }
}
