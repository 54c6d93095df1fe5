import HyphaBase

/// The next deadline of each of many things with small dense numbers: one entry each, moved when it changes.
///
/// A binary heap with the position of every number in it. Things with equal deadlines come in order of their numbers.
struct DeadlineHeap: Sendable {
    private struct Entry: Sendable {
        var deadline: Instant
        var id: UInt32

        func precedes(_ other: Entry) -> Bool {
            deadline != other.deadline ? deadline < other.deadline : id < other.id
        }
    }

    private var heap: [Entry] = []
    /// Where in the heap a number is; -1: nowhere.
    private var positions: [Int] = []

    /// The nearest deadline, nil when there is none.
    var nextDeadline: Instant? { heap.first?.deadline }

    /// Sets or, with nil, removes the deadline of `id`.
    mutating func set(_ id: UInt32, _ deadline: Instant?) {
        while positions.count <= Int(id) { positions.append(-1) }
        let position = positions[Int(id)]
        guard let deadline else {
            if position >= 0 { remove(at: position) }
            return
        }
        if position >= 0 {
            heap[position].deadline = deadline
            settle(position)
        } else {
            heap.append(Entry(deadline: deadline, id: id))
            positions[Int(id)] = heap.count - 1
            settle(heap.count - 1)
        }
    }

    /// Removes and returns the number with the nearest deadline if that is not after `now`.
    mutating func popDue(now: Instant) -> UInt32? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        remove(at: 0)
        return first.id
    }

    private mutating func remove(at position: Int) {
        positions[Int(heap[position].id)] = -1
        let last = heap.removeLast()
        guard position < heap.count else { return }
        heap[position] = last
        positions[Int(last.id)] = position
        settle(position)
    }

    /// Moves an entry up or down to where it belongs.
    private mutating func settle(_ start: Int) {
        var position = start
        while position > 0, heap[position].precedes(heap[(position - 1) / 2]) {
            swap(position, (position - 1) / 2)
            position = (position - 1) / 2
        }
        while true {
            let left = 2 * position + 1
            guard left < heap.count else { return }
            let right = left + 1
            let child = right < heap.count && heap[right].precedes(heap[left]) ? right : left
            guard heap[child].precedes(heap[position]) else { return }
            swap(position, child)
            position = child
        }
    }

    private mutating func swap(_ a: Int, _ b: Int) {
        heap.swapAt(a, b)
        positions[Int(heap[a].id)] = a
        positions[Int(heap[b].id)] = b
    }
}
