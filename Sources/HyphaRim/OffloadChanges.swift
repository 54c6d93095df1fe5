internal import Synchronization

/// How workers tell their owner about an `OffloadChange`: one bit each, set once per process and taken once.
///
/// Workers record, one other thread takes. No lock.
public final class OffloadChanges: Sendable {
    private let known = Atomic<UInt32>(0)
    private let fresh = Atomic<UInt32>(0)

    public init() {}

    /// Worker: notes a change; later notes of the same kind have no effect.
    func record(_ change: OffloadChange) {
        let bit: UInt32 = 1 << UInt32(change.rawValue)
        let before = known.bitwiseOr(bit, ordering: .relaxed).oldValue
        if before & bit == 0 { fresh.bitwiseOr(bit, ordering: .releasing) }
    }

    /// Owner: the changes since the last call, to log once each.
    public func take() -> [OffloadChange] {
        guard fresh.load(ordering: .relaxed) != 0 else { return [] }
        let bits = fresh.exchange(0, ordering: .acquiring)
        return OffloadChange.allCases.filter { bits & (1 << UInt32($0.rawValue)) != 0 }
    }
}
