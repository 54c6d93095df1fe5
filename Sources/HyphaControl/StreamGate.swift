import HyphaBase

/// Which TCP connections may come in, and which of them have not said anything yet.
struct StreamGate: Sendable {
    /// Connections with one `UnderlayGroup`: from afar, and from near addresses and those of configured peers.
    static let groupLimit = 8
    static let nearLimit = 64
    /// Connections that came in and wait for their first frame; of more the oldest has to go.
    static let waitingLimit = 256
    /// After this a connection has had its first frame, or the worker has ended it (`StreamLimits.firstFrame`).
    static let waitingMilliseconds: UInt64 = 6_000

    private struct Waiting: Sendable {
        let connection: UInt32
        let since: Instant
    }

    private var counts: [UnderlayGroup: Int] = [:]
    /// In the order in which they came; those that have spoken or ended meanwhile are not in `silent`.
    private var waiting: [Waiting] = []
    private var silent: Set<UInt32> = []

    /// Connections that wait for their first frame, as far as they were not noticed to have waited too long.
    var waitingCount: Int { silent.count }

    /// Whether one more connection of `remote` may come in.
    func admits(_ remote: SocketAddress, isFamiliar: Bool) -> Bool {
        let limit = isFamiliar || UnderlayGroup.isNear(remote.address) ? StreamGate.nearLimit : StreamGate.groupLimit
        return counts[UnderlayGroup(remote), default: 0] < limit
    }

    /// A connection is open, whoever began it.
    mutating func opened(_ remote: SocketAddress) { counts[UnderlayGroup(remote), default: 0] += 1 }

    /// It is not any more.
    mutating func closed(_ connection: UInt32, _ remote: SocketAddress) {
        let group = UnderlayGroup(remote)
        let left = counts[group, default: 0] - 1
        counts[group] = left > 0 ? left : nil
        silent.remove(connection)
    }

    /// A connection that came in waits for its first frame. Returns one that waits for longest and has to go for it.
    mutating func waits(_ connection: UInt32, now: Instant) -> UInt32? {
        waiting.append(Waiting(connection: connection, since: now))
        silent.insert(connection)
        var over = 0
        while over < waiting.count,
            !silent.contains(waiting[over].connection)
                || now.milliseconds(since: waiting[over].since) >= StreamGate.waitingMilliseconds
        {
            silent.remove(waiting[over].connection)
            over += 1
        }
        waiting.removeFirst(over)
        // Those between them that have spoken or ended go too when they are many.
        if waiting.count > 2 * StreamGate.waitingLimit { waiting.removeAll { !silent.contains($0.connection) } }
        guard silent.count > StreamGate.waitingLimit, let oldest = waiting.first?.connection else { return nil }
        silent.remove(oldest)
        return oldest
    }

    /// A connection said something.
    mutating func spoke(_ connection: UInt32) { silent.remove(connection) }
}
