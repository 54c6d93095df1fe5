import Foundation
import HyphaBase
import HyphaPacket
import Testing

@Suite struct SlotRingTests {
    @Test func sizesAreRoundedUp() {
        for (asked, capacity) in [(0, 2), (1, 2), (2, 2), (3, 4), (4, 4), (5, 8), (1_000, 1_024)] {
            #expect(SlotRing(capacity: asked, stride: 8).capacity == capacity)
        }
        for (asked, stride) in [(1, 8), (8, 8), (9, 16), (1_432, 1_432)] {
            #expect(SlotRing(capacity: 2, stride: asked).stride == stride)
        }
    }

    /// Random steps of both ends on one thread, against arrays: records come out whole, in order, once, and only after
    /// they were published; room comes back only after it was released.
    @Test func behavesLikeAnArray() {
        var random = Seed(131)
        for _ in 0..<40 {
            let stride = 8 * (1 + Int(random.next() % 5))
            let ring = SlotRing(capacity: 1 << Int(1 + random.next() % 5), stride: stride)
            var producer = ring.makeProducer()
            var consumer = ring.makeConsumer()
            var filled: [UInt64] = []
            var published: [UInt64] = []
            var unreleased = 0
            var next: UInt64 = 0
            for _ in 0..<2_000 {
                switch random.next() % 5 {
                case 0, 1:
                    let slot = producer.reserve()
                    let held = filled.count + published.count + unreleased
                    #expect((slot == nil) == (held == ring.capacity))
                    guard let slot else { break }
                    for word in 0..<(stride / 8) {
                        slot.storeBytes(of: next &* 31 &+ UInt64(word), toByteOffset: 8 * word, as: UInt64.self)
                    }
                    producer.advance()
                    filled.append(next)
                    next += 1
                case 2:
                    let any = producer.publish()
                    #expect(any == !filled.isEmpty)
                    published += filled
                    filled = []
                case 3:
                    let empty = consumer.isEmpty()
                    #expect(empty == published.isEmpty)
                    let slot = consumer.peek()
                    #expect((slot == nil) == published.isEmpty)
                    guard let slot else { break }
                    for word in 0..<(stride / 8) {
                        let value = slot.load(fromByteOffset: 8 * word, as: UInt64.self)
                        #expect(value == published[0] &* 31 &+ UInt64(word))
                    }
                    consumer.advance()
                    published.removeFirst()
                    unreleased += 1
                default:
                    consumer.release()
                    unreleased = 0
                }
            }
        }
    }

    /// A producer thread and a consumer thread: every value arrives whole, in order, none lost, none twice.
    @Test(arguments: [2, 64, 1_024])
    func twoThreadsLoseNothing(capacity: Int) {
        let total: UInt64 = 200_000
        let ring = SlotRing(capacity: capacity, stride: 32)
        let done = DispatchSemaphore(value: 0)
        let thread = Thread {
            var producer = ring.makeProducer()
            var value: UInt64 = 0
            while value < total {
                if let slot = producer.reserve() {
                    slot.storeBytes(of: value, as: UInt64.self)
                    slot.storeBytes(of: ~value, toByteOffset: 24, as: UInt64.self)
                    producer.advance()
                    value += 1
                    // Batches of different sizes, so that the ring is sometimes full and sometimes empty.
                    if value % (1 + value % 37) == 0 { producer.publish() }
                } else {
                    producer.publish()
                    sched_yield()
                }
            }
            producer.publish()
            done.signal()
        }
        thread.start()
        var consumer = ring.makeConsumer()
        var expected: UInt64 = 0
        var faults = 0
        while expected < total {
            guard let slot = consumer.peek() else {
                consumer.release()
                sched_yield()
                continue
            }
            if slot.load(as: UInt64.self) != expected || slot.load(fromByteOffset: 24, as: UInt64.self) != ~expected {
                faults += 1
            }
            consumer.advance()
            expected += 1
            if expected % 13 == 0 { consumer.release() }
        }
        done.wait()
        let rest = consumer.peek()
        #expect(rest == nil)
        #expect(faults == 0)
    }
}
