import HyphaBase
import HyphaPacket
import Testing

@Suite struct PacketPoolTests {
    /// Random takes, retains and releases against a dictionary of holders: free + held = capacity after every step.
    @Test func freeAndHeldAreTheCapacity() {
        var random = Seed(121)
        for _ in 0..<20 {
            let slabs = Int(random.next() % 6)
            let slots = Int(random.next() % 12)
            let pool = PacketPool(slabs: slabs, slots: slots)
            defer { pool.deallocate() }
            var holders: [UInt32: Int] = [:]
            for _ in 0..<2_000 {
                let heldSlabs = holders.keys.filter { $0 < slabs }.count
                let heldSlots = holders.count - heldSlabs
                switch random.next() % 5 {
                case 0, 1:
                    let wantsSlab = random.next() % 2 == 0
                    let taken = wantsSlab ? pool.takeSlab() : pool.takeSlot()
                    let isFull = wantsSlab ? heldSlabs == slabs : heldSlots == slots
                    #expect((taken == nil) == isFull)
                    if let taken {
                        #expect(holders[taken] == nil, "a held buffer was given out again")
                        #expect((Int(taken) < slabs) == wantsSlab)
                        holders[taken] = 1
                    }
                case 2:
                    guard let buffer = holders.keys.randomElement(using: &random) else { continue }
                    pool.retain(buffer)
                    holders[buffer, default: 0] += 1
                default:
                    guard let buffer = holders.keys.randomElement(using: &random), let count = holders[buffer] else {
                        continue
                    }
                    pool.release(buffer)
                    holders[buffer] = count == 1 ? nil : count - 1
                }
                let nowHeldSlabs = holders.keys.filter { $0 < slabs }.count
                #expect(pool.freeSlabCount + nowHeldSlabs == slabs)
                #expect(pool.freeSlotCount + holders.count - nowHeldSlabs == slots)
                for (buffer, count) in holders { #expect(pool.holders(buffer) == count) }
            }
        }
    }

    /// Every byte of every buffer belongs to that buffer alone.
    @Test func buffersDoNotOverlap() {
        let pool = PacketPool(slabs: 3, slots: 5)
        defer { pool.deallocate() }
        let region = pool.region
        #expect(region.count == 3 * PacketPool.slabSize + 5 * PacketPool.slotSize)
        for buffer in UInt32(0)..<8 {
            let size = pool.size(buffer)
            #expect(size == (buffer < 3 ? PacketPool.slabSize : PacketPool.slotSize))
            pool.base(buffer).initializeMemory(as: UInt8.self, repeating: UInt8(buffer) + 1, count: size)
        }
        for buffer in UInt32(0)..<8 {
            let bytes = UnsafeRawBufferPointer(start: pool.base(buffer), count: pool.size(buffer))
            #expect(bytes.allSatisfy { $0 == UInt8(buffer) + 1 })
        }
        // The buffers fill the region exactly.
        #expect(region.allSatisfy { $0 != 0 })
        #expect(PacketPool.slabHeadroom + PacketPool.slabCapacity < PacketPool.slabSize)
    }

    @Test func theLastReleasedIsTheNextTaken() {
        let pool = PacketPool(slabs: 4, slots: 4)
        defer { pool.deallocate() }
        let slabs = [pool.takeSlab(), pool.takeSlab(), pool.takeSlab()].compactMap { $0 }
        #expect(Set(slabs).count == 3)
        pool.release(slabs[1])
        pool.release(slabs[0])
        #expect(pool.takeSlab() == slabs[0])
        #expect(pool.takeSlab() == slabs[1])
    }
}
