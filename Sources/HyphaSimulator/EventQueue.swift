import HyphaBase

/// What happens in a simulated mesh, in order of time, at equal times in order of insertion.
struct EventQueue: Sendable {
    private struct Entry: Sendable {
        var time: Instant
        var number: UInt64
        var slot: Int
        func precedes(_ other: Entry) -> Bool { time != other.time ? time < other.time : number < other.number }
    }

    private var heap: [Entry] = []
    private var events: [SimEvent?] = []
    private var free: [Int] = []
    private var inserted: UInt64 = 0

    mutating func insert(_ event: SimEvent, at time: Instant) {
        let slot: Int
        if let reused = free.popLast() {
            slot = reused
            events[slot] = event
        } else {
            slot = events.count
            events.append(event)
        }
        heap.append(Entry(time: time, number: inserted, slot: slot))
        inserted += 1
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].precedes(heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// The next event and its time, nil at the end of the world.
    mutating func popFirst() -> (time: Instant, event: SimEvent)? {
        guard let first = heap.first, let event = events[first.slot].take() else { return nil }
        free.append(first.slot)
        let last = heap.removeLast()
        guard !heap.isEmpty else { return (first.time, event) }
        heap[0] = last
        var parent = 0
        while true {
            let left = 2 * parent + 1
            guard left < heap.count else { break }
            let child = left + 1 < heap.count && heap[left + 1].precedes(heap[left]) ? left + 1 : left
            guard heap[child].precedes(heap[parent]) else { break }
            heap.swapAt(child, parent)
            parent = child
        }
        return (first.time, event)
    }
}
