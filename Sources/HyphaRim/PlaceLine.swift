/// Places that wait for their turn, first come first served; each stands in it once at most. Memory is allocated once.
struct PlaceLine {
    private let places: UnsafeMutablePointer<UInt16>
    private let mask: UInt32
    private var head: UInt32 = 0
    private var tail: UInt32 = 0

    init(capacity: Int) {
        var size = 1
        while size < capacity { size *= 2 }
        mask = UInt32(size - 1)
        places = .allocate(capacity: size)
    }

    func deallocate() { places.deallocate() }

    var isEmpty: Bool { head == tail }
    var count: Int { Int(tail &- head) }
    /// The place whose turn it is, when there is one.
    var first: Int { Int(places[Int(head & mask)]) }

    mutating func append(_ place: Int) {
        places[Int(tail & mask)] = UInt16(truncatingIfNeeded: place)
        tail &+= 1
    }

    mutating func removeFirst() { head &+= 1 }
}
