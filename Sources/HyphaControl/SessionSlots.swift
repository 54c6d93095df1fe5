import HyphaSession

/// Who has which slot of a session table, from the allocation of an index to the worker's word that it is retired.
struct SessionSlots: Sendable {
    private enum State: UInt8, Sendable {
        case free
        /// Given to a handshake; the worker does not know it.
        case reserved
        /// The worker was told to install it.
        case installed
        /// The worker was told to retire it and has not answered.
        case retiring
    }

    private struct Entry: Sendable {
        var state = State.free
        var index: UInt32 = 0
        var owner: UInt32 = .max
    }

    let table: SessionTable
    private var allocator: SessionAllocator
    private var entries: [Entry]

    init(table: SessionTable) {
        self.table = table
        allocator = SessionAllocator(table: table)
        entries = [Entry](repeating: Entry(), count: table.capacity)
    }

    /// Slots neither held nor waiting for the worker.
    var available: Int { allocator.available }

    /// A slot and an index for `owner`; nil when all are in use.
    mutating func reserve(owner: UInt32, random: UInt32) -> (slot: UInt32, index: UInt32)? {
        guard let (slot, index) = allocator.allocate(random: random) else { return nil }
        entries[Int(slot)] = Entry(state: .reserved, index: index, owner: owner)
        return (slot, index)
    }

    /// Who has `index`; nil when nobody does.
    func owner(index: UInt32) -> UInt32? {
        guard index != 0 else { return nil }
        let entry = entries[Int(index) & (entries.count - 1)]
        guard entry.index == index, entry.state == .reserved || entry.state == .installed else { return nil }
        return entry.owner
    }

    /// The slot of `index`; nil when nobody has it.
    func slot(index: UInt32) -> UInt32? {
        owner(index: index) == nil ? nil : index & UInt32(entries.count - 1)
    }

    /// A reserved slot becomes the worker's.
    mutating func install(_ slot: UInt32) { entries[Int(slot)].state = .installed }

    /// Gives up a slot. True when the worker has to retire it first.
    mutating func end(_ slot: UInt32) -> Bool {
        switch entries[Int(slot)].state {
        case .installed:
            entries[Int(slot)].state = .retiring
            return true
        case .reserved:
            release(slot)
            return false
        case .free, .retiring:
            return false
        }
    }

    /// The worker has retired a slot; anything else is ignored.
    mutating func retired(_ slot: UInt32) {
        guard slot < entries.count, entries[Int(slot)].state == .retiring else { return }
        release(slot)
    }

    private mutating func release(_ slot: UInt32) {
        entries[Int(slot)] = Entry()
        allocator.release(slot)
    }
}
