import HyphaBase
import Testing

@testable import HyphaNodeSimulator

struct HostPacketTests {
    private let addresses = [
        IPv6Address(high: 0x0400 << 48 | 7, low: 0x1234_5678_9ABC_DEF0), IPv6Address(high: 0x05FF << 48, low: 1),
    ]

    private func packet(_ number: Int, size: Int) -> HostPacket {
        HostPacket(number: number, from: 0, to: 1, size: size, sentAt: .zero, question: nil)
    }

    @Test(arguments: [8, 9, 40, 1_150])
    func packetsAreWellFormed(size: Int) {
        for number in [0, 1, 77_777] {
            let bytes = packet(number, size: size).bytes(from: addresses[0], to: addresses[1])
            #expect(bytes.count == HostPacket.headerSize + size)
            #expect(bytes[0] >> 4 == 6 && bytes[6] == 17)
            #expect(Int(bytes[4]) << 8 | Int(bytes[5]) == bytes.count - 40)
            #expect(Array(bytes[8..<24]) == addresses[0].bytes && Array(bytes[24..<40]) == addresses[1].bytes)
            // The sum over pseudo-header and segment, its checksum included, is all ones (RFC 1071).
            var words = Array(bytes[8...]) + (bytes.count % 2 == 0 ? [] : [0])
            words += [0, 0, UInt8((size + 8) >> 8), UInt8((size + 8) & 255), 0, 0, 0, 17]
            var sum = 0
            for i in stride(from: 0, to: words.count, by: 2) { sum += Int(words[i]) << 8 | Int(words[i + 1]) }
            while sum > 0xFFFF { sum = (sum & 0xFFFF) + (sum >> 16) }
            #expect(sum == 0xFFFF)
            #expect(HostPacket.number(bytes[...]) == number)
        }
    }

    @Test func contentFollowsFromTheNumber() {
        let one = packet(1, size: 200).bytes(from: addresses[0], to: addresses[1])
        let two = packet(2, size: 200).bytes(from: addresses[0], to: addresses[1])
        #expect(one == packet(1, size: 200).bytes(from: addresses[0], to: addresses[1]))
        #expect(one[56...] != two[56...])
        #expect(HostPacket.number(one.prefix(55)) == nil)
        #expect(HostPacket.packet(HostPacket.read(one)).elementsEqual(one))
    }
}
