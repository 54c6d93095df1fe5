import HyphaBase
import HyphaFIB
import HyphaIdentity
import HyphaInterchange
import HyphaRouting
import HyphaWire

/// The router among the other parts of the control plane: links become its neighbours, control messages carry what it
/// says, and what it chooses goes into the forwarding table.
///
/// The number of a neighbour is the id of its link. A TLV of the route control travels as control entry 0x80 + its type
/// (docs/protocol.md, "Link control").
struct RouteControl: Sendable {
    static let firstType: UInt8 = 0x84
    static let lastType: UInt8 = 0x8A
    private static let typeOffset: UInt8 = 0x80
    /// Bytes of entries in one message: fits every path.
    private static let messageSize = 1_100
    /// Constant part of a link's cost by the family of its underlay.
    private static let ipv4Cost: UInt16 = 6
    private static let ipv6Cost: UInt16 = 4

    /// Which keys the routes lead to, and which links are to be made afresh.
    enum Change {
        case known(PublicKey)
        case forgotten(PublicKey)
        /// The neighbour on this link spoke of routing and does no more.
        case unheard(UInt32)
    }

    private struct Entry: Sendable {
        let prefix: Prefix
        /// Links of the next hops, best first: along all of them no loop can close. Empty: unreachable.
        let links: [UInt32]
        let key: PublicKey?
    }

    private var router: Router?
    /// What the router chose, in the order of the prefixes.
    private var entries: [Entry] = []
    /// Routes to each key.
    private var keys: [PublicKey: Int] = [:]
    /// Links whose neighbours said nothing of routing for long: the router has forgotten them.
    private var dead: Set<UInt32> = []
    /// Links whose neighbours spoke of routing since they are up.
    private var heard: Set<UInt32> = []
    private let own: PublicKey

    init(_ settings: RoutingSettings?, identity: NodeIdentity, seed: UInt64, now: Instant) {
        own = identity.publicKey
        guard let settings else { return }
        var configuration = RouterConfiguration(
            key: identity.publicKey.bytes, addressOfKey: { OverlayAddress.address(of: $0.key) })
        configuration.isTransit = settings.isTransit
        router = Router(configuration: configuration, state: settings.state, seed: seed, now: now)
    }

    var nextDeadline: Instant? { router?.nextDeadline }

    /// Under which this node announces its prefixes; nil without route control.
    var routerID: RouterID? { router?.routerID }

    mutating func advance(to now: Instant) {
        if let deadline = router?.nextDeadline, deadline <= now { router?.advance(to: now) }
    }

    /// Tells the neighbours that this node's prefixes are gone.
    mutating func stop(now: Instant) { router?.stop(now: now) }

    /// A link carries packets (again), or its neighbour started again: what was known through it is forgotten.
    mutating func linkUp(_ link: Link, now: Instant) {
        dead.remove(link.id)
        heard.remove(link.id)
        let base = link.endpoint?.isIPv4 == true ? RouteControl.ipv4Cost : RouteControl.ipv6Cost
        router?.neighbourUp(
            NeighbourID(UInt16(truncatingIfNeeded: link.id)),
            NeighbourLink(
                kind: .hypha, baseCost: base, roundTrip: RouteControl.roundTrip(link), isDialled: link.dialer != nil,
                key: link.key.bytes),
            now: now)
    }

    /// A link has no session, or its neighbour does not answer: traffic moves to the next feasible route, and where there
    /// is none the mesh is asked for one.
    mutating func linkDown(_ id: UInt32, now: Instant) {
        dead.remove(id)
        heard.remove(id)
        router?.neighbourDown(NeighbourID(UInt16(truncatingIfNeeded: id)), now: now)
    }

    /// A link has a new session. A neighbour that made it hears all routes again, and soon once more if it has surely lost
    /// them; a neighbour that was given up has another try.
    mutating func linkRenewed(_ link: Link, _ renewal: LinkChange.Renewal, now: Instant) {
        if dead.contains(link.id) { return linkUp(link, now: now) }
        let id = NeighbourID(UInt16(truncatingIfNeeded: link.id))
        if let roundTrip = RouteControl.roundTrip(link) { router?.costChanged(id, roundTrip: roundTrip, now: now) }
        if renewal != .own { router?.neighbourRenewed(id, hasForgotten: renewal == .early, now: now) }
    }

    /// Milliseconds, rounded.
    private static func roundTrip(_ link: Link) -> UInt16? {
        link.machine.roundTrip.smoothed.map { UInt16(clamping: ($0 + 500_000) / 1_000_000) }
    }

    /// Route control entries of an authentic message, in order. False when the router has given the neighbour up: the
    /// link needs a new session.
    mutating func receive(_ entries: [ControlTLV], from link: UInt32, now: Instant) -> Bool {
        guard !dead.contains(link) else { return false }
        heard.insert(link)
        for entry in entries {
            router?.handle(
                type: entry.type &- RouteControl.typeOffset, body: entry.value,
                from: NeighbourID(UInt16(truncatingIfNeeded: link)), now: now)
        }
        return true
    }

    /// Does what the router wants done, in its order; returns the keys that routes begin or cease to lead to.
    mutating func perform(_ context: inout ControlContext) -> [Change] {
        guard router != nil else { return [] }
        var changes: [Change] = []
        // One message under way; another neighbour or a full one sends it.
        var message: [UInt8] = []
        var target: UInt32 = 0
        while let action = router?.poll() {
            switch action {
            case .send(let tlv, let neighbour):
                var bytes: [UInt8] = []
                ControlTLV(type: RouteControl.typeOffset | tlv.type, value: tlv.body).append(to: &bytes)
                if !message.isEmpty,
                    UInt32(neighbour.value) != target || message.count + bytes.count > RouteControl.messageSize
                {
                    RouteControl.send(&message, to: target, &context)
                }
                target = UInt32(neighbour.value)
                message += bytes
            case .persist(let state):
                RouteControl.send(&message, to: target, &context)
                context.actions.append(.persist(state))
            case .routeChanged(let change):
                changes += apply(change)
                context.isForwardingChanged = true
            // The link's own liveness decides when it is closed.
            case .neighbourDead(let neighbour):
                let link = UInt32(neighbour.value)
                dead.insert(link)
                if heard.remove(link) != nil { changes.append(.unheard(link)) }
            case .queryResolved, .queryFailed: break
            }
        }
        RouteControl.send(&message, to: target, &context)
        return changes
    }

    private static func send(_ message: inout [UInt8], to link: UInt32, _ context: inout ControlContext) {
        guard !message.isEmpty else { return }
        context.actions.append(
            .inject(InjectedPacket(kind: .linkControl, length: message.count, link: link), message))
        message = []
    }

    /// Replaces what is known of one prefix.
    private mutating func apply(_ change: RouteChange) -> [Change] {
        let place = self.place(of: change.prefix)
        let old = place < entries.count && entries[place].prefix == change.prefix ? entries[place] : nil
        if old != nil { entries.remove(at: place) }
        var changes: [Change] = []
        var new: Entry?
        switch change.outcome {
        case .reachable(let id, let nextHops):
            let key = PublicKey(bytes: id.key)
            guard key != own else { break }
            new = Entry(prefix: change.prefix, links: nextHops.map { UInt32($0.neighbour.value) }, key: key)
        case .unreachable: new = Entry(prefix: change.prefix, links: [], key: nil)
        case .removed: break
        }
        if let new { entries.insert(new, at: place) }
        // The new key first: a route that only changed its way keeps its peer.
        if let key = new?.key { changes += count(key, by: 1) }
        if let key = old?.key { changes += count(key, by: -1) }
        return changes
    }

    /// Where a prefix stands or would stand, by halving.
    private func place(of prefix: Prefix) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].prefix < prefix { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func count(_ key: PublicKey, by step: Int) -> [Change] {
        let before = keys[key] ?? 0
        let after = before + step
        keys[key] = after > 0 ? after : nil
        if before == 0, after > 0 { return [.known(key)] }
        return before > 0 && after == 0 ? [.forgotten(key)] : []
    }

    /// For the forwarding table, in the order of the prefixes.
    func entries(flows: FlowSupervisor) -> [FIBCompiler.Entry] {
        entries.map { entry in
            guard let link = entry.links.first, let key = entry.key else {
                return FIBCompiler.Entry(prefix: entry.prefix, nextHop: .unreachable)
            }
            return FIBCompiler.Entry(
                prefix: entry.prefix, nextHop: NextHop(kind: .link, link: link, peer: flows.id(of: key) ?? .max))
        }
    }
}
