import HyphaBase
import HyphaRouting
import HyphaSimulator
import HyphaWire

/// One router, its time, and invented origins around it.
struct RouterRig {
    var router: Router
    var now: Instant
    /// Everything `poll` returned and was not taken yet.
    var actions: [RouterAction] = []
    private var answers: [NeighbourID: BabelTLV.IHU] = [:]

    static let start = Instant(nanoseconds: 1_000_000_000_000)

    init(
        state: RouterState? = RouterState(zone: 0, random: 7, seqno: 9), seed: UInt64 = 1,
        configure: (inout RouterConfiguration) -> Void = { _ in }
    ) {
        var configuration = RouterConfiguration(key: RouterRig.key(0), addressOfKey: RouterRig.address)
        configuration.announcesHostRoute = false
        configure(&configuration)
        now = RouterRig.start
        router = Router(configuration: configuration, state: state, seed: seed, now: now)!
        drain()
    }

    // MARK: Origins, by number; the router itself is number 0

    static func key(_ number: UInt16) -> [UInt8] {
        [UInt8](repeating: 3, count: 30) + [UInt8(number >> 8), UInt8(truncatingIfNeeded: number)]
    }

    static func address(_ id: RouterID) -> IPv6Address {
        let key = id.key
        return IPv6Address(high: 0x0400 << 48 | UInt64(key[30]) << 8 | UInt64(key[31]), low: 0x77)
    }

    static func id(_ number: UInt16, random: UInt64 = 1) -> RouterID {
        RouterID(key: key(number), zone: 0, random: random)!
    }

    static func prefix(_ number: UInt16, length: Int = 64) -> Prefix { Prefix(address(id(number)), length: length) }

    static func update(
        _ number: UInt16, metric: UInt16, seqno: UInt16 = 0, length: Int = 64, random: UInt64 = 1,
        interval: UInt16 = 30_000
    ) -> BabelTLV {
        .update(
            .init(
                prefix: prefix(number, length: length), routerID: id(number, random: random), seqno: seqno,
                metric: metric, interval: interval))
    }

    // MARK: Events

    mutating func drain() {
        while let action = router.poll() {
            if case .answerHellos(let id, let answer) = action { answers[id] = answer }
            actions.append(action)
        }
    }

    /// What the link layer answers the Hellos of a neighbour with; nil when it does not.
    func answer(to id: UInt16) -> BabelTLV.IHU? { answers[NeighbourID(id)] }

    /// As after the end of a link.
    mutating func forgetAnswers() { answers = [:] }

    /// What was done since the last call.
    mutating func taken() -> [RouterAction] {
        drain()
        defer { actions = [] }
        return actions
    }

    /// Messages sent to a neighbour since the last call; other actions are dropped.
    mutating func sent(to id: UInt16) -> [BabelTLV] {
        taken().compactMap { if case .send(let tlv, NeighbourID(id)) = $0 { tlv } else { nil } }
    }

    mutating func up(
        _ id: UInt16, _ kind: NeighbourLink.Kind = .stock, roundTrip: UInt16? = 5, isDialled: Bool = false,
        key: [UInt8] = []
    ) {
        router.neighbourUp(
            NeighbourID(id),
            NeighbourLink(kind: kind, baseCost: 15, roundTrip: roundTrip, isDialled: isDialled, key: key), now: now)
        drain()
    }

    mutating func receive(_ tlv: BabelTLV, from id: UInt16) {
        router.handle(tlv, from: NeighbourID(id), now: now)
        drain()
    }

    /// Time passes; every deadline on the way is kept.
    mutating func pass(milliseconds: UInt64, keepAlive: [UInt16] = []) {
        let end = now.advanced(byMilliseconds: milliseconds)
        while router.nextDeadline <= end {
            now = max(now, router.nextDeadline)
            for id in keepAlive {
                router.handle(.ihu(.init(receiveCost: 0, interval: 0)), from: NeighbourID(id), now: now)
            }
            router.advance(to: now)
            drain()
        }
        now = end
        for id in keepAlive { router.handle(.ihu(.init(receiveCost: 0, interval: 0)), from: NeighbourID(id), now: now) }
        router.advance(to: now)
        drain()
    }

    /// Two or more neighbours that have been introduced, with nothing left to say.
    mutating func settle(_ ids: [UInt16], _ kind: NeighbourLink.Kind = .stock) {
        for id in ids { up(id, kind) }
        pass(milliseconds: 3_000, keepAlive: ids)
        _ = taken()
    }
}

extension [BabelTLV] {
    var updates: [BabelTLV.Update] { compactMap { if case .update(let update) = $0 { update } else { nil } } }
    var routeRequests: [BabelTLV.RouteRequest] {
        compactMap { if case .routeRequest(let request) = $0 { request } else { nil } }
    }
    var seqnoRequests: [BabelTLV.SeqnoRequest] {
        compactMap { if case .seqnoRequest(let request) = $0 { request } else { nil } }
    }
}

extension [RouterAction] {
    var changes: [RouteChange] { compactMap { if case .routeChanged(let change) = $0 { change } else { nil } } }
    var states: [RouterState] { compactMap { if case .persist(let state) = $0 { state } else { nil } } }
    func updates(to id: UInt16) -> [BabelTLV.Update] {
        compactMap { if case .send(.update(let update), NeighbourID(id)) = $0 { update } else { nil } }
    }
}
