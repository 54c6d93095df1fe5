/// Deadlines in order: a binary heap over (moment, insertion number), so equal moments leave in the order they came.
///
/// Entries are never removed early. An owner that no longer cares ignores the entry when it comes out.
public struct DeadlineQueue<Element>: Sendable where Element: Sendable {
    @usableFromInline struct Entry: Sendable {
        @usableFromInline let deadline: Instant
        @usableFromInline let number: UInt64
        @usableFromInline let element: Element
        @usableFromInline init(_ deadline: Instant, _ number: UInt64, _ element: Element) {
            self.deadline = deadline
            self.number = number
            self.element = element
        }
        @usableFromInline func precedes(_ other: Entry) -> Bool {
            deadline != other.deadline ? deadline < other.deadline : number < other.number
        }
    }

    @usableFromInline var heap: [Entry] = []
    @usableFromInline var inserted: UInt64 = 0

    public init() {}

    /// Entries waiting.
    public var count: Int { heap.count }

    /// The nearest deadline, nil when empty.
    public var nextDeadline: Instant? { heap.first?.deadline }

    /// Adds an element that `popDue` returns once `now` reaches `deadline`.
    public mutating func insert(_ element: Element, at deadline: Instant) {
        heap.append(Entry(deadline, inserted, element))
        inserted &+= 1
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].precedes(heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Removes and returns the nearest element whose deadline is not after `now`.
    public mutating func popDue(now: Instant) -> Element? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            var parent = 0
            while true {
                let left = 2 * parent + 1
                guard left < heap.count else { break }
                let right = left + 1
                let child = right < heap.count && heap[right].precedes(heap[left]) ? right : left
                guard heap[child].precedes(heap[parent]) else { break }
                heap.swapAt(child, parent)
                parent = child
            }
        }
        return first.element
    }
}
