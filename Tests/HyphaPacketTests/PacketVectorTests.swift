import HyphaPacket
import Testing

@Suite struct PacketVectorTests {
    @Test func keepsPacketsInOrderUpToItsCapacity() {
        var vector = PacketVector()
        defer { vector.deallocate() }
        for round in 0..<3 {
            for i in 0..<PacketVector.capacity {
                #expect(!vector.isFull)
                #expect(vector.count == i)
                vector.append(Descriptor(buffer: UInt32(i), offset: UInt32(round), length: 1))
            }
            #expect(vector.isFull)
            // One more than fits changes nothing.
            vector.append(Descriptor(buffer: 9_999, offset: 9_999, length: 9_999))
            #expect(vector.count == PacketVector.capacity)
            for i in 0..<vector.count {
                #expect(vector.packets[i].buffer == UInt32(i))
                #expect(vector.packets[i].offset == UInt32(round))
            }
            vector.removeAll()
            #expect(vector.count == 0)
        }
    }
}
