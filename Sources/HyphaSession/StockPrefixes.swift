/// All nonce prefixes that this process has drawn. A stock key is the same in both directions and its bodies are bound to
/// no address, so a body of ours that comes back opens; its prefix tells it apart before that.
///
/// Every worker has its own set; whoever draws a prefix puts it into all of them before a worker uses it. At most 4,096,
/// which is 2^44 packets: then the oldest is forgotten, and of its bodies only those with an inner IPv6 packet are still
/// caught, by their addresses. A handle: copies share the memory; single-threaded.
public struct StockPrefixes {
    public static let capacity = 4_096
    private static let places = 2 * capacity

    /// `places` of the hash table, 0 for none; then `capacity` prefixes in the order they came; then their number.
    private let memory: UnsafeMutablePointer<UInt64>
    private var order: UnsafeMutablePointer<UInt64> { memory + StockPrefixes.places }
    private var total: UnsafeMutablePointer<UInt64> { order + StockPrefixes.capacity }

    public init() {
        let words = StockPrefixes.places + StockPrefixes.capacity + 1
        memory = .allocate(capacity: words)
        memory.initialize(repeating: 0, count: words)
    }

    public func deallocate() { memory.deallocate() }

    /// Prefixes known.
    public var count: Int { Int(min(total.pointee, UInt64(StockPrefixes.capacity))) }

    /// Adds a prefix; false when it is known already or 0: then another one must be drawn.
    public func insert(_ prefix: UInt64) -> Bool {
        guard prefix != 0, !contains(prefix) else { return false }
        let place = Int(total.pointee % UInt64(StockPrefixes.capacity))
        let forgets = total.pointee >= UInt64(StockPrefixes.capacity)
        order[place] = prefix
        total.pointee &+= 1
        if forgets { rebuild() } else { put(prefix) }
        return true
    }

    /// Whether this process drew the prefix.
    @inline(__always)
    public func contains(_ prefix: UInt64) -> Bool {
        guard prefix != 0 else { return false }
        var place = StockPrefixes.place(prefix)
        while memory[place] != 0 {
            if memory[place] == prefix { return true }
            place = (place &+ 1) & (StockPrefixes.places - 1)
        }
        return false
    }

    private func put(_ prefix: UInt64) {
        var place = StockPrefixes.place(prefix)
        while memory[place] != 0 { place = (place &+ 1) & (StockPrefixes.places - 1) }
        memory[place] = prefix
    }

    private func rebuild() {
        memory.update(repeating: 0, count: StockPrefixes.places)
        for i in 0..<count { put(order[i]) }
    }

    @inline(__always)
    private static func place(_ prefix: UInt64) -> Int {
        Int(truncatingIfNeeded: (prefix &* 0x9E37_79B9_7F4A_7C15) &>> 51)
    }
}
