import HyphaBase

/// Where and when a configured peer is dialled: its addresses in turn, and pauses when none of them answers.
struct Dialer: Sendable {
    enum State: Equatable, Sendable {
        /// Connected, or about to begin.
        case idle
        /// The addresses were asked for; asked for again at this time.
        case resolving(again: Instant)
        /// INITs go out.
        case dialing
        /// Nobody answered; the next dial begins at this time.
        case resting(until: Instant)
    }

    /// A host of the configuration and its addresses by the last answer that had any.
    struct Host: Sendable {
        let name: String
        let port: UInt16
        var addresses: [ResolvedAddress] = []
        /// Asked for, not answered.
        var isAsked = false
    }

    private(set) var hosts: [Host]
    var state = State.idle
    /// Dials in a row that came to nothing.
    private var failures = 0

    /// INITs to one address before the next one has its turn.
    static let triesPerAddress = 2
    static let resolveMilliseconds: UInt64 = 10_000
    /// Addresses kept of one answer.
    static let addressesMax = 16

    init(hosts: [Host]) { self.hosts = hosts }

    /// All addresses in the order to try them.
    var addresses: [ResolvedAddress] { hosts.flatMap(\.addresses) }
    /// True when a host was asked for and not answered.
    var isWaiting: Bool { hosts.contains(where: \.isAsked) }

    var nextDeadline: Instant? {
        switch state {
        case .idle, .dialing: nil
        case .resolving(let again): again
        case .resting(let until): until
        }
    }

    /// The addresses are asked for.
    mutating func asked() {
        for i in hosts.indices { hosts[i].isAsked = true }
    }

    /// The answer to one question. An answer without addresses leaves those known before.
    mutating func answered(host: String, port: UInt16, _ addresses: [ResolvedAddress]) {
        guard let i = hosts.firstIndex(where: { $0.name == host && $0.port == port }) else { return }
        hosts[i].isAsked = false
        if !addresses.isEmpty { hosts[i].addresses = Array(addresses.prefix(Dialer.addressesMax)) }
    }

    /// A dial begins with a look at the name service.
    mutating func resolve(now: Instant) {
        asked()
        state = .resolving(again: now.advanced(byMilliseconds: Dialer.resolveMilliseconds))
    }

    /// Nobody answered: 30 s of rest, twice as much each time, 5 minutes at most.
    mutating func rest(now: Instant, jitter: inout Seed) {
        rest(now: now, first: 30_000, most: 300_000, &jitter)
    }

    /// The name has no usable address: 2 s of rest, twice as much each time, one minute at most.
    mutating func restUnresolved(now: Instant, jitter: inout Seed) {
        rest(now: now, first: 2_000, most: 60_000, &jitter)
    }

    /// The peer is connected.
    mutating func connected() {
        state = .idle
        failures = 0
    }

    /// Where the INIT of number `tries` (from 1) goes. `endpoint`: where the peer was last, tried first; addresses of
    /// the families in `taken` are left out.
    func target(tries: Int, endpoint: SocketAddress?, isTaken: (SocketAddress) -> Bool) -> SocketAddress? {
        var candidates = addresses.map(\.address)
        if let endpoint {
            candidates.removeAll { $0 == endpoint }
            candidates.insert(endpoint, at: 0)
        }
        candidates.removeAll(where: isTaken)
        guard !candidates.isEmpty else { return nil }
        return candidates[max(0, tries - 1) / Dialer.triesPerAddress % candidates.count]
    }

    private mutating func rest(now: Instant, first: UInt64, most: UInt64, _ jitter: inout Seed) {
        let pause = min(most, first << UInt64(min(failures, 8)))
        failures += 1
        state = .resting(until: now.advanced(byNanoseconds: RetrySchedule.spread(milliseconds: pause, jitter: &jitter)))
    }
}
