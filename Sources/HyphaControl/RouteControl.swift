import HyphaBase
import HyphaFIB
import HyphaIdentity
import HyphaInterchange
import HyphaRouting
import HyphaSession
import HyphaWire

/// The router among the other parts of the control plane: links become its neighbours, control messages carry what it
/// says, and what it chooses goes into the forwarding table.
///
/// The number of a neighbour is the id of its link. How its TLVs travel: `RouteMessages`.
struct RouteControl: Sendable {
    static let firstType: UInt8 = 0x84
    static let lastType: UInt8 = 0x8A
    /// Constant part of a link's cost by the family of its underlay.
    private static let ipv4Cost: UInt16 = 6
    private static let ipv6Cost: UInt16 = 4

    /// Which keys the routes lead to, and what others have to do.
    enum Change {
        case known(PublicKey)
        case forgotten(PublicKey)
        /// A route says that the node with this key speaks native sessions, or none says so any more.
        case hint(PublicKey, Bool)
        /// The neighbour on this HL1 link spoke of routing and does no more.
        case unheard(UInt32)
        /// The neighbour on this TCP link does not answer.
        case dead(UInt32)
        /// A query of this node for the /64 with this upper half found a route, or none.
        case found(UInt64)
        case notFound(UInt64)
    }

    /// What an update says about the neighbour that sent it.
    enum Sender: Equatable {
        case unknown
        /// This node.
        case own
        case key(PublicKey)
    }

    private struct Entry: Sendable {
        let prefix: Prefix
        /// Links of the next hops, best first: along all of them no loop can close. Empty: unreachable.
        let links: [UInt32]
        let key: PublicKey?
        /// The router id carries the mark of a native node.
        let isNative: Bool
        /// Packets that go by it are to be told of: it ends soon.
        var isAgeing = false
    }

    /// Routes to a key, and those of them that say that it is native.
    private struct Use: Sendable {
        var routes = 0
        var native = 0
    }

    private var router: Router?
    private var messages: RouteMessages
    /// What the router chose, in the order of the prefixes.
    private var entries: [Entry] = []
    private var keys: [PublicKey: Use] = [:]
    /// HL1 links whose neighbours said nothing of routing for long: the router has forgotten them.
    private var dead: Set<UInt32> = []
    /// HL1 links whose neighbours spoke of routing since they are up.
    private var heard: Set<UInt32> = []
    private let own: PublicKey

    init(_ control: ControlConfiguration, identity: NodeIdentity, seed: UInt64, now: Instant) {
        own = identity.publicKey
        messages = RouteMessages(links: control.links)
        guard let settings = control.routing else { return }
        var configuration = RouterConfiguration(
            key: identity.publicKey.bytes, addressOfKey: { OverlayAddress.address(of: $0.key) })
        configuration.isTransit = settings.isTransit
        if control.session != .classic { configuration.zone = UInt16(NativeMark.first) << 8 }
        configuration.limits.neighbours = max(
            configuration.limits.neighbours, control.maxPeers + control.maxStreams)
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

    // MARK: - TCP links

    /// A TCP link carries packets.
    mutating func streamUp(_ link: UInt32, connection: UInt32, _ neighbour: NeighbourLink, now: Instant) {
        messages.set(connection, of: link)
        router?.neighbourUp(NeighbourID(UInt16(truncatingIfNeeded: link)), neighbour, now: now)
    }

    /// Its round trip is another one: the router takes that into use when it differs by more than a tenth.
    mutating func measured(_ link: UInt32, milliseconds: UInt16, now: Instant) {
        router?.costChanged(NeighbourID(UInt16(truncatingIfNeeded: link)), roundTrip: milliseconds, now: now)
    }

    /// It does no more: what was known through it is forgotten.
    mutating func streamDown(_ link: UInt32, now: Instant) {
        messages.set(nil, of: link)
        router?.neighbourDown(NeighbourID(UInt16(truncatingIfNeeded: link)), now: now)
    }

    /// The body of a control frame that came over a TCP link. `isWhole`: all of it could be read.
    mutating func receive(
        stream body: UnsafeRawBufferPointer, from link: UInt32, now: Instant
    ) -> (sender: Sender, isWhole: Bool) {
        var sender = Sender.unknown
        var isWhole = true
        for reading in BabelTLVPacket.read(body: body) {
            switch reading {
            case .refused: isWhole = false
            case .tlv(.update(let update), _) where update.metric == 0:
                let said = self.sender(of: update)
                if said == .own { return (.own, isWhole) }
                if sender == .unknown { sender = said }
            case .tlv: break
            }
            router?.handle(reading, from: NeighbourID(UInt16(truncatingIfNeeded: link)), now: now)
        }
        return (sender, isWhole)
    }

    /// Only an origin announces a metric of 0.
    private func sender(of update: BabelTLV.Update) -> Sender {
        if update.routerID == router?.routerID { return .own }
        guard let key = PublicKey(bytes: update.routerID.key), update.prefix.contains(key.address) else {
            return .unknown
        }
        return .key(key)
    }

    // MARK: - Queries

    /// Packets wait for a route to the /64 with this upper half.
    mutating func query(_ prefix: UInt64, now: Instant) -> QueryAnswer {
        router?.query(IPv6Address(high: prefix, low: 0), now: now) ?? .refused
    }

    /// Whether a next hop to an address is known.
    func hasRoute(to address: IPv6Address) -> Bool {
        var place = place(of: Prefix(address, length: 64))
        while place < entries.count, entries[place].prefix.address.high == address.high {
            if entries[place].prefix.contains(address), !entries[place].links.isEmpty { return true }
            place += 1
        }
        return false
    }

    /// Packets use a route in the /64 with this upper half.
    mutating func used(_ prefix: UInt64, now: Instant) {
        var place = place(of: Prefix(IPv6Address(high: prefix, low: 0), length: 64))
        while place < entries.count, entries[place].prefix.address.high == prefix {
            router?.routeUsed(entries[place].prefix.address, now: now)
            place += 1
        }
    }

    /// The router's counters and the sizes of its tables by their stable names; empty without routing.
    var figures: [(name: String, value: UInt64)] {
        guard let router else { return [] }
        return router.counters.all + router.sizes.all.map { ($0.name, UInt64(clamping: $0.value)) }
    }

    // MARK: - HL1 links

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
                type: entry.type &- RouteMessages.typeOffset, body: entry.value,
                from: NeighbourID(UInt16(truncatingIfNeeded: link)), now: now)
        }
        return true
    }

    /// Does what the router wants done, in its order; returns the keys that routes begin or cease to lead to.
    mutating func perform(_ context: inout ControlContext) -> [Change] {
        guard router != nil else { return [] }
        var changes: [Change] = []
        while let action = router?.poll() {
            switch action {
            case .send(let tlv, let neighbour): messages.append(tlv, to: UInt32(neighbour.value), &context)
            case .answerHellos(let neighbour, let answer):
                guard let connection = messages.connections[UInt32(neighbour.value)] else { break }
                context.command(.answerHellos(of: connection, with: answer))
            case .persist(let state):
                messages.send(&context)
                context.actions.append(.persist(state))
            case .routeAgeing(let prefix, let isAgeing):
                let place = place(of: prefix)
                guard place < entries.count, entries[place].prefix == prefix else { break }
                entries[place].isAgeing = isAgeing
                context.isForwardingChanged = true
            case .routeChanged(let change):
                changes += apply(change)
                context.isForwardingChanged = true
            case .neighbourDead(let neighbour):
                let link = UInt32(neighbour.value)
                if context.configuration.links.isStream(link) {
                    changes.append(.dead(link))
                    continue
                }
                // The link's own liveness decides when it is closed.
                dead.insert(link)
                if heard.remove(link) != nil { changes.append(.unheard(link)) }
            case .queryResolved(let prefix): changes.append(.found(prefix.address.high))
            case .queryFailed(let prefix): changes.append(.notFound(prefix.address.high))
            }
        }
        messages.send(&context)
        return changes
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
            let mark = NativeMark(UInt8(truncatingIfNeeded: id.zone >> 8), UInt8(truncatingIfNeeded: id.zone))
            new = Entry(
                prefix: change.prefix, links: nextHops.map { UInt32($0.neighbour.value) }, key: key,
                isNative: mark != nil, isAgeing: old?.isAgeing ?? false)
        case .unreachable: new = Entry(prefix: change.prefix, links: [], key: nil, isNative: false)
        case .removed: break
        }
        if let new { entries.insert(new, at: place) }
        // The new key first: a route that only changed its way keeps its peer.
        if let new, let key = new.key { changes += count(key, by: 1, isNative: new.isNative) }
        if let old, let key = old.key { changes += count(key, by: -1, isNative: old.isNative) }
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

    private mutating func count(_ key: PublicKey, by step: Int, isNative: Bool) -> [Change] {
        let before = keys[key] ?? Use()
        var after = before
        after.routes += step
        if isNative { after.native += step }
        keys[key] = after.routes > 0 ? after : nil
        var changes: [Change] = []
        if before.routes == 0, after.routes > 0 { changes.append(.known(key)) }
        if before.native == 0, after.native > 0 { changes.append(.hint(key, true)) }
        if before.native > 0, after.native == 0 { changes.append(.hint(key, false)) }
        if before.routes > 0, after.routes == 0 { changes.append(.forgotten(key)) }
        return changes
    }

    /// For the forwarding table, in the order of the prefixes.
    func entries(flows: FlowSupervisor) -> [FIBCompiler.Entry] {
        entries.map { entry in
            guard let link = entry.links.first, let key = entry.key else {
                return FIBCompiler.Entry(prefix: entry.prefix, nextHop: .unreachable)
            }
            let peer = flows.id(of: key) ?? .max
            var best = NextHop(kind: .link, link: link, peer: peer)
            best.isAgeing = entry.isAgeing
            return FIBCompiler.Entry(
                prefix: entry.prefix, nextHop: best,
                alternates: entry.links.dropFirst().map { NextHop(kind: .link, link: $0, peer: peer) })
        }
    }
}
