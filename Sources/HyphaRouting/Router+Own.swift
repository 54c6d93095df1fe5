public import HyphaBase
import HyphaWire

extension Router {
    /// Stock nodes ask again in the last seconds of a hold time, once, and the answer may be lost: own prefixes are
    /// announced before that. In milliseconds.
    static let refreshMargin: UInt64 = 20_000

    /// Between announcements of the own prefixes, in milliseconds.
    var ownPeriod: UInt64 {
        let interval = UInt64(configuration.stockInterval) * 10
        let hold = HoldTime.milliseconds(interval: configuration.stockInterval, metric: Metric(0))
        return max(1_000, min(interval, hold > Router.refreshMargin ? hold - Router.refreshMargin : 0))
    }

    /// Tells all neighbours that the own prefixes are gone, before the node ends.
    public mutating func stop(now: Instant) {
        clock = max(clock, now)
        isStopping = true
        announceOwn()
    }

    /// The own prefixes to all neighbours.
    mutating func announceOwn() {
        for place in ownPrefixes.indices { announcements.append(.own(place)) }
    }

    mutating func ownTimer() {
        if clock >= own.changeDue {
            counters.count(own.change(now: clock) ? .seqnoJumps : .seqnoBumps)
            urgent.append(.persist(own.state))
            announceOwn()
        }
        if clock >= ownAnnouncementDue {
            ownAnnouncementDue = clock.advanced(byMilliseconds: ownPeriod)
            announceOwn()
        }
    }

    func ownUpdate(_ prefix: Prefix) -> BabelTLV.Update {
        BabelTLV.Update(
            prefix: prefix, routerID: own.id, seqno: own.seqno.value,
            metric: isStopping ? Metric.infinite.value : 0, interval: configuration.stockInterval)
    }

    /// Somebody announces a prefix of ours. Nobody but us can have a route to it.
    mutating func handleOwnPrefix(_ update: BabelTLV.Update) {
        counters.count(.ownPrefix)
        guard update.metric != Metric.infinite.value, update.routerID.hasSameKey(as: own.id) else { return }
        if update.routerID == own.id {
            // Ours, from a run whose state was lost, or forged: others take our own Updates for old.
            return own.hear(Seqno(update.seqno), now: clock)
        }
        counters.count(.foreignRouterIDs)
        guard own.sightedForeignID(now: clock),
            let id = RouterID(key: configuration.key, zone: configuration.zone, random: seed.next())
        else { return }
        counters.count(.routerIDsDrawn)
        own.replace(id: id, now: clock)
        urgent.append(.persist(own.state))
        announceOwn()
    }
}
