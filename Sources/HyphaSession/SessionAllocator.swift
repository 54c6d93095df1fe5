/// Free slots of a session table. Owned by the control thread.
public struct SessionAllocator: Sendable {
    private var free: [UInt32]
    private let slotBits: Int

    public init(table: SessionTable) {
        free = (0..<UInt32(table.capacity)).reversed()
        slotBits = table.slotBits
    }

    /// Slots left.
    public var available: Int { free.count }

    /// A free slot and a receiver index for it, made from `random`; nil when all are in use. The index is never zero.
    public mutating func allocate(random: UInt32) -> (slot: UInt32, index: UInt32)? {
        guard !free.isEmpty else { return nil }
        // A slot at random among the free ones, so that an index tells nothing about how many sessions there are.
        let position = Int(random >> 8) % free.count
        free.swapAt(position, free.count - 1)
        let slot = free.removeLast()
        var high = random >> UInt32(slotBits)
        if slotBits < 32, high == 0, slot == 0 { high = 1 }
        return (slot, (high << UInt32(slotBits)) | slot)
    }

    /// Gives a slot back after its worker retired it.
    public mutating func release(_ slot: UInt32) { free.append(slot) }
}
