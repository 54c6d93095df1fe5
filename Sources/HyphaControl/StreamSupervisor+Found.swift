import HyphaBase
import HyphaIdentity
import HyphaInterchange

/// Places found on the local network. One link with a node is enough: such a place is dialled while there is no other, and
/// its connection is closed when an HL1 link, which is the better one, has lasted.
///
/// Which key a place has is what its beacon says, and its neighbour on TCP, which proves nothing.
extension StreamSupervisor {
    /// An HL1 link lasts when it has been up for so long.
    static let lastingMilliseconds: UInt64 = 10_000
    /// When the other link is gone both ends want to dial: each waits for a moment between nothing and this.
    static let wakeMilliseconds: UInt64 = 2_000

    /// A place on the local network said that it can be dialled, and under which key.
    mutating func discovered(
        _ endpoint: SocketAddress, key: PublicKey?, now: Instant, _ context: inout ControlContext
    ) {
        guard !isStopping, links.streams > 0, endpoint.port != 0 else { return }
        let isKnown = targets.contains { $0?.addresses.contains(endpoint) ?? false }
        guard !isKnown, !isConnected(endpoint) else { return }
        context.count.discovered += 1
        var number = configuredCount
        while number < targets.count, targets[number] != nil { number += 1 }
        guard number < configuredCount + StreamSupervisor.discoveredMax else {
            context.count.discoveredRefused += 1
            return
        }
        if number == targets.count { targets.append(nil) }
        targets[number] = StreamTarget(number: UInt32(number), found: endpoint, key: key, now: now)
        dialRound(UInt32(number), now: now, &context)
    }

    /// Nothing was heard of such a place for long. What is being dialled or connected stays.
    mutating func unheard(_ endpoint: SocketAddress) {
        for number in configuredCount..<max(configuredCount, targets.count) {
            guard let target = targets[number], target.addresses.contains(endpoint) else { continue }
            switch target.state {
            case .standby, .resting: forget(UInt32(number))
            case .resolving, .dialling, .up: break
            }
        }
    }

    /// An HL1 link with the node of this key is up.
    mutating func linkUp(_ link: UInt32, _ key: PublicKey, now: Instant, _ context: inout ControlContext) {
        linked.up(link, key, now: now)
        for number in foundNumbers(key) { planLeaving(number, now: now, &context) }
    }

    /// An HL1 link is down.
    mutating func linkDown(_ link: UInt32, now: Instant, _ context: inout ControlContext) {
        guard let key = linked.down(link) else { return }
        for number in foundNumbers(key) { planLeaving(number, now: now, &context) }
        wake(key, now: now, &context)
    }

    /// A connection's neighbour announces itself under this key.
    mutating func learnt(_ key: PublicKey, link: UInt32, now: Instant, _ context: inout ControlContext) {
        guard let connection = connection(link: link), connection.key == nil else { return }
        connections[Int(connection.id & 0xFFFF)]?.key = key
        guard let number = connection.target, number >= configuredCount else { return }
        targets[Int(number)]?.key = key
        planLeaving(number, now: now, &context)
    }

    /// Whether a place need not be dialled because there is a link with its node. A guest from afar does not count: it may
    /// call itself what it likes.
    func isReached(_ target: StreamTarget) -> Bool {
        guard let key = target.key else { return false }
        return linked.since(key) != nil
            || connections.contains { connection in
                guard let connection, connection.key == key, connection.ending == nil else { return false }
                return connection.target != nil || UnderlayGroup.isNear(connection.remote.address)
            }
    }

    /// Places whose node lost a link are dialled soon, unless there is another one.
    mutating func wake(_ key: PublicKey, now: Instant, _ context: inout ControlContext) {
        for number in foundNumbers(key) {
            guard let target = targets[Int(number)], target.state == .standby, !isReached(target) else { continue }
            let wait = UInt64.random(
                in: 0...StreamSupervisor.wakeMilliseconds * 1_000_000, using: &context.jitter)
            update(number, now: now, &context) { $0.stir(at: now.advanced(byNanoseconds: wait), now: now) }
        }
    }

    /// Sets when the connection with a place ends for an HL1 link that lasts, if there is one.
    mutating func planLeaving(_ number: UInt32, now: Instant, _ context: inout ControlContext) {
        guard let target = targets[Int(number)], !target.isConfigured, target.isUp else { return }
        let since = target.key.flatMap { linked.since($0) }
        let time = since.map { $0.advanced(byMilliseconds: StreamSupervisor.lastingMilliseconds) }
        update(number, now: now, &context) { $0.leaveAt = time }
    }

    /// The connection with a place ends in order: an HL1 link with the same node has lasted.
    mutating func leave(_ number: UInt32, now: Instant, _ context: inout ControlContext) {
        update(number, now: now, &context) { $0.leaveAt = nil }
        guard case .up(let id) = targets[Int(number)]?.state else { return }
        if finish(id, reason: "there is an HL1 link with the same node", isReset: false, &context) {
            context.count.streamsSpared += 1
        }
    }

    private func foundNumbers(_ key: PublicKey) -> [UInt32] {
        targets.indices.dropFirst(configuredCount).filter { targets[$0]?.key == key }.map { UInt32($0) }
    }
}
