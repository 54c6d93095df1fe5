import HyphaBase
import Testing

@testable import HyphaControl

@Suite struct DeadlineHeapTests {
    /// Against an array that is searched.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func agreesWithAList(seed: UInt64) {
        var chance = Seed(seed)
        var heap = DeadlineHeap()
        var list: [UInt32: Instant] = [:]
        var now = Instant.zero
        func first() -> (UInt32, Instant)? {
            list.min { ($0.value, $0.key) < ($1.value, $1.key) }.map { ($0.key, $0.value) }
        }
        for _ in 0..<2_000 {
            let id = UInt32(truncatingIfNeeded: chance.next() % 40)
            switch chance.next() % 4 {
            case 0, 1:
                let deadline = now.advanced(byNanoseconds: chance.next() % 50)
                heap.set(id, deadline)
                list[id] = deadline
            case 2:
                heap.set(id, nil)
                list[id] = nil
            default:
                now = now.advanced(byNanoseconds: chance.next() % 10)
                let expected = first().flatMap { $0.1 <= now ? $0.0 : nil }
                #expect(heap.popDue(now: now) == expected)
                if let expected { list[expected] = nil }
            }
            #expect(heap.nextDeadline == first()?.1)
        }
    }
}
