public import HyphaBase
public import HyphaIdentity
import HyphaWire

/// Nodes of the local network that find each other without configuration: when to send a beacon, which beacons count, and
/// which endpoints follow from them.
///
/// A value: no socket, no clock. Whoever owns it sends the beacon when `beaconDue` has come and says what came of it,
/// hands over what was received, and dials. Beacons prove nothing: whoever is on the network can name any address of it,
/// so that all of this is bounded. The same inputs with the same seed give the same outputs.
public struct Discovery: Sendable {
    /// Endpoints remembered at most; further ones are refused.
    public static let capacity = 64
    /// Datagrams looked at in a second, and at once.
    static let rate: UInt64 = 20
    /// Connects in a row that came to nothing before an endpoint is forgotten.
    static let failuresMax = 3
    /// An endpoint without a beacon and without a connection for so long is forgotten.
    static let silenceMilliseconds: UInt64 = 300_000
    /// Seconds to the next try while an interface is not ready, which takes a moment after a start.
    static let retrySeconds: [UInt64] = [1, 2, 4]
    /// Between beacons, within a twentieth, so that nodes that start together do not stay together.
    private static let intervalMilliseconds = UInt64(DiscoveryBeacon.interval) * 1_000
    private static let spreadMilliseconds = intervalMilliseconds / 20
    /// A dial waits between nothing and this.
    static let dialDelayMilliseconds: UInt64 = 2_000

    private struct Entry: Sendable {
        let endpoint: DiscoveredEndpoint
        /// When the last beacon came, or the connection ended.
        var heard: Instant
        var failures = 0
        var isConnected = false

        var silentAt: Instant {
            isConnected ? .distantFuture : heard.advanced(byMilliseconds: Discovery.silenceMilliseconds)
        }
    }

    /// When the next beacon goes out on all interfaces.
    public private(set) var beaconDue: Instant
    /// The next beacon follows soon because an interface was not ready for the last one.
    public private(set) var isRetrying = false
    public private(set) var counters = DiscoveryCounters()
    private let own: PublicKey
    private var jitter: Seed
    private var allowance: TokenBucket
    /// Retries since the last beacon that was no retry.
    private var retries = 0
    /// Interfaces whose beacons count.
    private var interfaces: [UInt32] = []
    /// In the order in which they were found.
    private var entries: [Entry] = []

    /// `own`: the key whose beacons are ignored. `seed` spreads beacons and dials. The first beacon is due at once.
    public init(own: PublicKey, seed: UInt64, now: Instant) {
        self.own = own
        jitter = Seed(seed)
        allowance = TokenBucket(rate: Discovery.rate, burst: Discovery.rate, now: now)
        beaconDue = now
    }

    /// Endpoints remembered, in the order in which they were found.
    public var endpoints: [DiscoveredEndpoint] { entries.map(\.endpoint) }

    /// When `advance` or a beacon is due.
    public var nextDeadline: Instant { entries.reduce(beaconDue) { min($0, $1.silentAt) } }

    /// The beacon that was due left through `sent` of the interfaces; `failed` refused it, `checking` will be ready in a
    /// moment, the rest has no carrier. `interfaces`: those that beacons are heard on now, by index.
    public mutating func beaconSent(on interfaces: [UInt32], sent: Int, failed: Int, checking: Int, now: Instant) {
        self.interfaces = interfaces
        counters.beaconsSent &+= UInt64(max(0, sent))
        counters.beaconsFailed &+= UInt64(max(0, failed))
        let isComplete = sent > 0 && sent >= interfaces.count
        if !isRetrying, checking > 0 { retries = 0 }
        if !isComplete, retries < Discovery.retrySeconds.count {
            beaconDue = now.advanced(byMilliseconds: Discovery.retrySeconds[retries] * 1_000)
            retries += 1
            isRetrying = true
            return
        }
        // What is not there after all retries is not looked for in haste again, until it was there once.
        retries = isComplete ? 0 : Discovery.retrySeconds.count
        isRetrying = false
        let spread = UInt64.random(in: 0...2 * Discovery.spreadMilliseconds, using: &jitter)
        beaconDue = now.advanced(
            byMilliseconds: Discovery.intervalMilliseconds - Discovery.spreadMilliseconds + spread)
    }

    /// A datagram that came in. Returns the endpoint when it was not known before.
    public mutating func receive(
        _ datagram: UnsafeRawBufferPointer, from source: SocketAddress, now: Instant
    ) -> DiscoveredEndpoint? {
        counters.received &+= 1
        guard allowance.take(now: now) else {
            counters.limited &+= 1
            return nil
        }
        guard source.address.high == 0xFE80_0000_0000_0000 else {
            counters.refusedSource &+= 1
            return nil
        }
        guard interfaces.contains(source.scope) else {
            counters.refusedInterface &+= 1
            return nil
        }
        guard let beacon = DiscoveryBeacon(datagram), let id = RouterID(bytes: beacon.routerID),
            let key = PublicKey(bytes: id.key)
        else {
            counters.refusedMalformed &+= 1
            return nil
        }
        guard key != own else {
            counters.refusedOwn &+= 1
            return nil
        }
        let address = SocketAddress(address: source.address, port: beacon.port, scope: source.scope)
        if let i = entries.firstIndex(where: { $0.endpoint.address == address }) {
            counters.heard &+= 1
            entries[i].heard = now
            return nil
        }
        guard entries.count < Discovery.capacity else {
            counters.full &+= 1
            return nil
        }
        counters.heard &+= 1
        counters.found &+= 1
        let delay = UInt64.random(in: 0...Discovery.dialDelayMilliseconds * 1_000_000, using: &jitter)
        let endpoint = DiscoveredEndpoint(
            address: address, key: key, isHypha: id.zone >> 8 == UInt16(NativeMark.first),
            dialDue: now.advanced(byNanoseconds: delay))
        entries.append(Entry(endpoint: endpoint, heard: now))
        return endpoint
    }

    /// A connection with the endpoint at `address` is up, whoever opened it: the endpoint is remembered while it lasts.
    public mutating func connected(_ address: SocketAddress) {
        guard let i = entries.firstIndex(where: { $0.endpoint.address == address }) else { return }
        entries[i].isConnected = true
        entries[i].failures = 0
    }

    /// The connection with the endpoint at `address` has ended.
    public mutating func disconnected(_ address: SocketAddress, now: Instant) {
        guard let i = entries.firstIndex(where: { $0.endpoint.address == address }), entries[i].isConnected else {
            return
        }
        entries[i].isConnected = false
        entries[i].heard = max(entries[i].heard, now)
    }

    /// A connect to the endpoint at `address` came to nothing. True when the endpoint is forgotten with that, and not to
    /// be dialled any more until it is reported again.
    public mutating func failed(_ address: SocketAddress) -> Bool {
        guard let i = entries.firstIndex(where: { $0.endpoint.address == address }), !entries[i].isConnected else {
            return false
        }
        entries[i].failures += 1
        guard entries[i].failures >= Discovery.failuresMax else { return false }
        entries.remove(at: i)
        counters.forgottenFailed &+= 1
        return true
    }

    /// Forgets the endpoints that nothing was heard of for long, and returns them.
    public mutating func advance(to now: Instant) -> [DiscoveredEndpoint] {
        let silent = entries.filter { $0.silentAt <= now }.map(\.endpoint)
        guard !silent.isEmpty else { return [] }
        entries.removeAll { $0.silentAt <= now }
        counters.forgottenSilent &+= UInt64(silent.count)
        return silent
    }
}
