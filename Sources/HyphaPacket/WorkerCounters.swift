/// What a worker counts. The raw value is the index in its counter row; drops follow behind the last case.
///
/// Law: received + injected = sent + delivered + punted + waiting + dropped (all in packets).
public enum Counter: Int, CaseIterable, Sendable {
    /// Packets that came in: datagrams from sockets and packets from the TUN (super-packets counted by segment).
    case received
    /// Packets that the control thread or the worker itself made.
    case injected
    /// Datagrams handed to the kernel.
    case sent
    /// Packets written to the TUN.
    case delivered
    /// Packets handed to the control thread, and link messages that end at this node (keepalives).
    case punted
    // Detail, outside the law.
    case receivedBytes, sentBytes, deliveredBytes
    case tunReceived, tunReceivedBytes
    case forwarded, forwardedBytes
    case keepalivesSent
    case errorsSent
    case trainsSent, tunWrites, receives, turns, waits
    case parkedTotal
    case connectionsRefused, connectionsLimited
    case stockSealed, stockOpened, keyAgreements
    case fragmentsSent, fragmentsReceived, reassembled
    case streamReceivedBytes, streamSentBytes, streamWrites, streamPauses, streamHolds
    case hellosAnswered, hellosUnanswered

    public var name: String {
        var text = ""
        for character in "\(self)" {
            if character.isUppercase { text += "_" + character.lowercased() } else { text.append(character) }
        }
        return text
    }
}

/// One worker's counters: plain memory that only its worker writes.
///
/// | index | content |
/// |---|---|
/// | 0 ..< Counter.allCases.count | `Counter` |
/// | then | one per `DropReason` |
///
/// A handle: copies share the memory. Not thread-safe; other threads read the copy in the counter board.
@frozen
public struct WorkerCounters {
    /// Slots in a row.
    public static let count = Counter.allCases.count + DropReason.allCases.count
    @usableFromInline static let firstDrop = Counter.allCases.count

    @usableFromInline let values: UnsafeMutablePointer<UInt64>
    @usableFromInline let dropBase: UnsafeMutablePointer<UInt64>

    /// Zeroed counters; the memory lives until `deallocate`.
    public init() {
        values = .allocate(capacity: WorkerCounters.count)
        values.initialize(repeating: 0, count: WorkerCounters.count)
        dropBase = values + WorkerCounters.firstDrop
    }

    public func deallocate() { values.deallocate() }

    @inlinable @inline(__always)
    public func add(_ counter: Counter, _ amount: Int = 1) {
        values[counter.rawValue] &+= UInt64(truncatingIfNeeded: amount)
    }

    @inlinable @inline(__always)
    public func drop(_ reason: DropReason, _ amount: Int = 1) {
        dropBase[Int(reason.rawValue)] &+= UInt64(truncatingIfNeeded: amount)
    }

    @inlinable @inline(__always)
    public subscript(counter: Counter) -> UInt64 { values[counter.rawValue] }

    @inlinable @inline(__always)
    public subscript(reason: DropReason) -> UInt64 { dropBase[Int(reason.rawValue)] }

    /// The row, to copy into the counter board.
    public var row: UnsafeBufferPointer<UInt64> { UnsafeBufferPointer(start: values, count: WorkerCounters.count) }

    /// Sum over all drop reasons.
    public var dropped: UInt64 {
        var sum: UInt64 = 0
        for i in 0..<DropReason.allCases.count { sum &+= dropBase[i] }
        return sum
    }
}
