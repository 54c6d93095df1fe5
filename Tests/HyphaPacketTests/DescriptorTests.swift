import HyphaPacket
import Testing

@Suite struct DescriptorTests {
    /// The layout in the type's table: two descriptors to a cache line of 64 bytes.
    @Test func layoutIsThatOfTheTable() {
        #expect(MemoryLayout<Descriptor>.size == 32)
        #expect(MemoryLayout<Descriptor>.stride == 32)
        #expect(MemoryLayout<Descriptor>.offset(of: \.buffer) == 0)
        #expect(MemoryLayout<Descriptor>.offset(of: \.offset) == 4)
        #expect(MemoryLayout<Descriptor>.offset(of: \.length) == 8)
        #expect(MemoryLayout<Descriptor>.offset(of: \.link) == 12)
        #expect(MemoryLayout<Descriptor>.offset(of: \.flow) == 16)
        #expect(MemoryLayout<Descriptor>.offset(of: \.disposition) == 20)
        #expect(MemoryLayout<Descriptor>.offset(of: \.reason) == 21)
        #expect(MemoryLayout<Descriptor>.offset(of: \.mode) == 22)
        #expect(MemoryLayout<Descriptor>.offset(of: \.lane) == 23)
        #expect(MemoryLayout<Descriptor>.offset(of: \.counter) == 24)
    }

    @Test func aNewDescriptorIsUndecided() {
        let descriptor = Descriptor(buffer: 3, offset: 128, length: 1_400, mode: .header)
        #expect(descriptor.buffer == 3 && descriptor.offset == 128 && descriptor.length == 1_400)
        #expect(descriptor.disposition == .undecided)
        #expect(descriptor.mode == .header)
        #expect(descriptor.link == .max && descriptor.flow == .max)
    }

    @Test func everyReasonEndsThePacket() {
        for reason in DropReason.allCases {
            var descriptor = Descriptor(buffer: 0, offset: 0, length: 1)
            descriptor.drop(reason)
            #expect(descriptor.disposition == .drop)
            #expect(DropReason(rawValue: descriptor.reason) == reason)
        }
    }

    /// The seal modes are the datagram types that carry them.
    @Test func sealModesAreDatagramTypes() {
        #expect(SealMode.full.rawValue == 4)
        #expect(SealMode.header.rawValue == 5)
    }
}
