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
