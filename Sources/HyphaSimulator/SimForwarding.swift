import HyphaRouting

/// Where one node forwards the prefixes of the mesh's nodes: a row for each prefix, by the number that the mesh gave it.
struct SimForwarding: Sendable {
    struct Row: Sendable {
        /// Number of the router id; 0 where there is no route.
        var routerID: UInt32 = 0
        /// Number of the neighbour at this node, `none` where there is no further one.
        var hops: (UInt16, UInt16, UInt16, UInt16) = (.max, .max, .max, .max)

        static let none = UInt16.max

        var first: UInt16 { hops.0 }
    }

    private var rows: [Row]

    init(count: Int) { rows = [Row](repeating: Row(), count: count) }

    subscript(prefix: Int) -> Row {
        get { rows[prefix] }
        set { rows[prefix] = newValue }
    }

    mutating func removeAll() {
        for prefix in rows.indices { rows[prefix] = Row() }
    }
}
