import HyphaIdentity

/// Keys whose owners spoke native sessions here since the start. They outlive the peers they belong to, so that nobody
/// who pushes a peer out makes this node forget what it can do.
///
/// Of more than there is room for, the one that was proved longest ago goes.
struct ProvenKeys: Sendable {
    static let capacity = 65_536

    private struct Entry: Sendable {
        let key: PublicKey
        let turn: UInt64
    }

    private let capacity: Int
    /// The turn in which each key was proved last.
    private var turns: [PublicKey: UInt64] = [:]
    /// In the order of turns; keys that were proved again later stand there twice.
    private var line: [Entry] = []
    private var first = 0
    private var turn: UInt64 = 0

    init(capacity: Int = ProvenKeys.capacity) { self.capacity = capacity }

    var count: Int { turns.count }

    func contains(_ key: PublicKey) -> Bool { turns[key] != nil }

    mutating func insert(_ key: PublicKey) {
        turn += 1
        turns[key] = turn
        line.append(Entry(key: key, turn: turn))
        while turns.count > capacity { dropFirst() }
        // What stands there twice must not pile up.
        if line.count - first > 2 * capacity {
            line = line[first...].filter { turns[$0.key] == $0.turn }
            first = 0
        }
    }

    private mutating func dropFirst() {
        let entry = line[first]
        first += 1
        if turns[entry.key] == entry.turn { turns[entry.key] = nil }
        if first > capacity {
            line.removeFirst(first)
            first = 0
        }
    }
}
