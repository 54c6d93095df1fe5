import Glibc
import HyphaSession

/// Zeroed memory for one session table, given back with the object.
final class SessionMemory {
    let table: SessionTable
    private let memory: UnsafeMutableRawPointer

    /// Nil without memory. Pages are touched when first used.
    init?(capacity: Int, scope: SessionTable.Scope) {
        let page = 4_096
        guard let memory = calloc(capacity * SessionTable.blockSize + page, 1) else { return nil }
        self.memory = memory
        table = SessionTable(memory: memory.alignedUp(toMultipleOf: page), capacity: capacity, scope: scope)
    }

    deinit { free(memory) }
}
