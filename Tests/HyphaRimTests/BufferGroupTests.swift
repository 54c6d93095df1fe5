import HyphaPacket
import Testing

@testable import HyphaRim

@Suite struct BufferGroupTests {
    /// Lends, then acts as a kernel that has used everything up.
    private func lend(_ group: inout BufferGroup, _ pool: PacketPool, reserve: Int = 0) -> Int {
        group.refill(from: pool, reserve: reserve)
        let count = group.filled
        group.releaseAll(to: pool)
        return count
    }

    @Test func longTrainsGetFewBuffersAndDatagramsMany() {
        let pool = PacketPool(slabs: 62, slots: 0)
        defer { pool.deallocate() }
        var group = BufferGroup(id: 0, capacity: 32, start: 20, length: 65_644, slabs: 62)
        defer { group.deallocate() }
        #expect(lend(&group, pool) == 32)
        for _ in 0..<64 { group.note(length: 64_400) }
        #expect(lend(&group, pool) == 4)
        for _ in 0..<64 { group.note(length: 26_000) }
        #expect((9...11).contains(lend(&group, pool)))
        for _ in 0..<64 { group.note(length: 1_400) }
        #expect(lend(&group, pool) == 32)
        for _ in 0..<64 { group.note(length: 0) }
        #expect(lend(&group, pool) == 32)
        #expect(pool.freeSlabCount == 62)
    }

    @Test func buffersAreUsedInTheOrderInWhichTheyWereLent() {
        let pool = PacketPool(slabs: 12, slots: 0)
        defer { pool.deallocate() }
        var group = BufferGroup(id: 0, capacity: 4, start: 128, length: 1_000, slabs: 12)
        defer { group.deallocate() }
        #expect([0, 1, 999, 1_000, 1_001, 3_000, 3_001].map(group.buffers(for:)) == [1, 1, 1, 1, 2, 3, 4])
        #expect(group.buffers(for: -104) == 1)
        group.refill(from: pool, reserve: 0)
        // Slabs come lowest first from a fresh pool; three are used, and come back in another order.
        #expect(group.filled == 4 && (0..<3).map { group.next(after: $0) } == [1, 2, 3])
        for slab in [1, 0, 2] as [UInt32] {
            group.takeBack(slab)
            pool.release(slab)
        }
        group.refill(from: pool, reserve: 0)
        #expect(group.filled == 4 && group.next(after: 3) == 2 && group.next(after: 2) == 0)
        #expect(group.next(after: 0) == 1)
        // The completion for the first two is seen after that for the others, whose slabs are lent again by then.
        for slab in [0, 1] as [UInt32] {
            group.takeBack(slab)
            pool.release(slab)
        }
        group.refill(from: pool, reserve: 0)
        #expect(group.filled == 4 && group.next(after: 3) == 2)
        group.releaseAll(to: pool)
        #expect(pool.freeSlabCount == 12)
    }

    @Test func theReserveStays() {
        let pool = PacketPool(slabs: 12, slots: 0)
        defer { pool.deallocate() }
        var group = BufferGroup(id: 0, capacity: 9, start: 20, length: 65_644, slabs: 12)
        defer { group.deallocate() }
        #expect(group.capacity == 16)
        #expect(lend(&group, pool, reserve: 5) == 7)
        #expect(lend(&group, pool, reserve: 12) == 0)
        #expect(lend(&group, pool, reserve: 0) == 12)
        #expect(pool.freeSlabCount == 12)
    }
}
