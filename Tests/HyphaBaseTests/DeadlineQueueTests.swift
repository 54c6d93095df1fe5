import HyphaBase
import Testing

@Suite struct DeadlineQueueTests {
    /// Random inserts and pops, against an array that is sorted again at every step.
    @Test func behavesLikeASortedArray() {
        var random = Seed(41)
        for _ in 0..<60 {
            var queue = DeadlineQueue<Int>()
            var model: [(deadline: UInt64, number: Int)] = []
            var now: UInt64 = 0
            for number in 0..<400 {
                // Few different moments, so that many are equal.
                let deadline = random.next() % 64
                queue.insert(number, at: Instant(nanoseconds: deadline))
                model.append((deadline, number))
                model.sort { ($0.deadline, $0.number) < ($1.deadline, $1.number) }
                #expect(queue.count == model.count)
                #expect(queue.nextDeadline?.nanoseconds == model.first?.deadline)
                if random.next() % 4 == 0 {
                    now = random.next() % 48
                    while let element = queue.popDue(now: Instant(nanoseconds: now)) {
                        let first = model.removeFirst()
                        #expect(first.deadline <= now)
                        #expect(element == first.number)
                    }
                    #expect(model.first.map { $0.deadline > now } ?? true)
                }
            }
            var rest: [Int] = []
            while let element = queue.popDue(now: .distantFuture) { rest.append(element) }
            #expect(rest == model.map(\.number))
            #expect(queue.nextDeadline == nil)
            #expect(queue.count == 0)
        }
    }

    @Test func equalMomentsLeaveInTheOrderTheyCame() {
        var queue = DeadlineQueue<Int>()
        for i in 0..<1_000 { queue.insert(i, at: Instant(nanoseconds: 5)) }
        let early = queue.popDue(now: Instant(nanoseconds: 4))
        #expect(early == nil)
        var order: [Int] = []
        while let element = queue.popDue(now: Instant(nanoseconds: 5)) { order.append(element) }
        #expect(order == Array(0..<1_000))
    }
}
