public import HyphaWire

/// Counts since the start of a router.
public struct RouterCounters: Hashable, Sendable {
    private var values = [UInt64](repeating: 0, count: RouterCounter.allCases.count)
    private var refusals = [UInt64](repeating: 0, count: BabelTLVRefusal.allCases.count)

    public subscript(counter: RouterCounter) -> UInt64 { values[counter.rawValue] }

    /// Packets and TLVs that could not be read, by reason.
    public subscript(refusal: BabelTLVRefusal) -> UInt64 { refusals[Int(refusal.rawValue)] }

    mutating func count(_ counter: RouterCounter) { values[counter.rawValue] &+= 1 }
    mutating func count(_ refusal: BabelTLVRefusal) { refusals[Int(refusal.rawValue)] &+= 1 }
}
