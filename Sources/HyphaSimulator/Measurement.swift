/// What a simulated run measured. Times are virtual.
public struct Measurement: Sendable {
    /// A figure over some nodes.
    public struct Spread: Sendable {
        public var mean = 0.0
        public var largest = 0.0

        init(_ values: [Double]) {
            guard !values.isEmpty else { return }
            mean = values.reduce(0, +) / Double(values.count)
            largest = values.max() ?? 0
        }
    }

    public var nodes = 0
    public var links = 0
    public var prefixes = 0
    /// Milliseconds from the start until every node had a route to every prefix; nil if that never was.
    public var convergence: UInt64?
    /// Milliseconds from the start until the last change of a next hop.
    public var lastChange: UInt64 = 0
    /// Control messages and bytes that all nodes sent before the quiet time.
    public var messagesBefore = 0
    public var bytesBefore = 0
    /// Control traffic in the quiet time, both directions together, in kbit/s: of leaves (of all nodes, where there are no
    /// hubs) and of hubs.
    public var leafTraffic = Spread([])
    public var hubTraffic = Spread([])
    /// Leaf traffic by what it is for, kbit/s on average.
    public var leafParts: [(name: String, rate: Double)] = []
    /// Changes of a first next hop in each minute of the quiet time, over all nodes.
    public var quietChanges: [Int] = []
    /// Length of the quiet time in milliseconds.
    public var quietTime: UInt64 = 0
    /// Entries of the fullest node at the end.
    public var routes = 0
    public var feasibilityDistances = 0
}
