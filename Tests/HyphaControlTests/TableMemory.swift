import Glibc
import HyphaSession

/// Zeroed memory for one session table, given back with the object.
final class TableMemory {
    let table: SessionTable
    private let memory: UnsafeMutableRawPointer
    private let size: Int

    init(capacity: Int, scope: SessionTable.Scope) {
        size = capacity * SessionTable.blockSize
        memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        table = SessionTable(memory: memory, capacity: capacity, scope: scope)
    }

    deinit { munmap(memory, size) }

    /// The raw keys of lane 0, as control prepared them.
    func sendKey(_ slot: UInt32) -> [UInt8] { key(slot, offset: 256) }
    func receiveKey(_ slot: UInt32) -> [UInt8] { key(slot, offset: 768) }

    private func key(_ slot: UInt32, offset: Int) -> [UInt8] {
        let start = memory + Int(slot) * SessionTable.blockSize + offset
        return Array(UnsafeRawBufferPointer(start: start, count: 32))
    }
}
