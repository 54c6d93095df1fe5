import HyphaBase

/// One deadline for each numbered slot: a binary heap in which every slot stands at most once, so it never outgrows the
/// table whose timers it holds. Equal deadlines come out by slot number.
struct DeadlineSlots: Sendable {
    private struct Entry: Sendable {
        var deadline: Instant
        var slot: Int
        func precedes(_ other: Entry) -> Bool {
            deadline != other.deadline ? deadline < other.deadline : slot < other.slot
        }
    }

    private var heap: [Entry] = []
    /// Where in the heap each slot stands, -1 when it has no deadline.
    private var places: [Int] = []

    var count: Int { heap.count }
    var next: Instant? { heap.first?.deadline }

    /// Sets, moves or (with nil) removes the deadline of a slot.
    mutating func set(_ slot: Int, _ deadline: Instant?) {
        while places.count <= slot { places.append(-1) }
        let place = places[slot]
        guard let deadline else {
            if place >= 0 { remove(at: place) }
            return
        }
        if place < 0 {
            heap.append(Entry(deadline: deadline, slot: slot))
            places[slot] = heap.count - 1
            rise(heap.count - 1)
        } else if heap[place].deadline != deadline {
            heap[place].deadline = deadline
            rise(place)
            sink(places[slot])
        }
    }

    /// Removes the nearest deadline that is not after `now` and returns its slot.
    mutating func popDue(now: Instant) -> Int? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        remove(at: 0)
        return first.slot
    }

    private mutating func remove(at place: Int) {
        places[heap[place].slot] = -1
        let last = heap.removeLast()
        guard place < heap.count else { return }
        heap[place] = last
        places[last.slot] = place
        rise(place)
        sink(places[last.slot])
    }

    private mutating func rise(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].precedes(heap[parent]) else { return }
            exchange(child, parent)
            child = parent
        }
    }

    private mutating func sink(_ start: Int) {
        var parent = start
        while true {
            let left = 2 * parent + 1
            guard left < heap.count else { return }
            let child = left + 1 < heap.count && heap[left + 1].precedes(heap[left]) ? left + 1 : left
            guard heap[child].precedes(heap[parent]) else { return }
            exchange(child, parent)
            parent = child
        }
    }

    private mutating func exchange(_ a: Int, _ b: Int) {
        heap.swapAt(a, b)
        places[heap[a].slot] = a
        places[heap[b].slot] = b
    }
}
