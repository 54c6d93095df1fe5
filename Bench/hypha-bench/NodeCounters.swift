import HyphaPacket

/// A node's counters by name.
struct NodeCounters {
    private var values: [String: UInt64] = [:]

    /// Takes every `"name": number` of a JSON text, wherever it stands; equal names add up.
    init(parsing json: String) {
        let bytes = Array(json.utf8)
        var i = 0
        while let open = bytes[i...].firstIndex(of: UInt8(ascii: "\"")),
            let close = bytes[(open + 1)...].firstIndex(of: UInt8(ascii: "\""))
        {
            let name = String(decoding: bytes[(open + 1)..<close], as: UTF8.self)
            i = close + 1
            while i < bytes.count, bytes[i] == UInt8(ascii: " ") { i += 1 }
            guard i < bytes.count, bytes[i] == UInt8(ascii: ":") else { continue }
            i += 1
            while i < bytes.count, bytes[i] == UInt8(ascii: " ") { i += 1 }
            let digits = bytes[i...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            if let value = UInt64(String(decoding: digits, as: UTF8.self)) { values[name, default: 0] &+= value }
            i += digits.count
        }
    }

    /// Zero for a counter that the node does not have.
    subscript(_ counter: Counter) -> UInt64 { values[counter.name] ?? 0 }

    /// What was counted since `earlier`.
    func since(_ earlier: NodeCounters) -> NodeCounters {
        var difference = self
        for (name, value) in earlier.values { difference.values[name, default: 0] &-= value }
        return difference
    }

    /// What both counted.
    static func + (a: NodeCounters, b: NodeCounters) -> NodeCounters {
        var sum = a
        for (name, value) in b.values { sum.values[name, default: 0] &+= value }
        return sum
    }

    /// Drops by reason, those that are not zero, most first.
    var drops: [(key: String, value: UInt64)] {
        DropReason.allCases.map { (key: $0.name, value: values[$0.name] ?? 0) }.filter { $0.value > 0 }
            .sorted { ($0.value, $1.key) > ($1.value, $0.key) }
    }
}
