internal import HyphaBase
internal import HyphaControl
internal import HyphaIdentity
internal import HyphaRim
internal import HyphaWire

/// Nodes of the local network: the socket for beacons and the book of who was heard, for the control thread.
///
/// Call `drive` in every pass of the control thread, and sleep no longer than `nextDeadline` and until `waitDescriptors`
/// are readable.
struct LocalDiscovery {
    /// Datagrams read in one turn.
    private static let batch = 32
    /// After a full batch nothing is read for so long: a flood waits, and is lost, in the kernel's queue.
    private static let pauseMilliseconds: UInt64 = 100

    /// Which neighbours are known: to be told of connections and of failures to connect.
    var endpoints: Discovery
    /// Goes out with every beacon. To be kept current: a node may have to draw a new one.
    var routerID: RouterID
    /// Neighbours that the last turn forgot because nothing was heard of them: they are dialled no more.
    private(set) var forgotten: [DiscoveredEndpoint] = []
    private let socket: DiscoverySocket
    private let tcpPort: UInt16
    private let log: Log
    private var pausedUntil = Instant.zero
    /// Neighbours that are not dialled yet, so that the other end may be first.
    private var waiting: [DiscoveredEndpoint] = []
    /// Those that control dials or dialled.
    private var handed: [DiscoveredEndpoint] = []
    private var nextLook = Instant.zero
    private static let lookMilliseconds: UInt64 = 1_000
    /// For one datagram; what is longer than a beacon is cut.
    private var room = [UInt8](repeating: 0, count: 2 * DiscoveryBeacon.size)
    /// What was logged of the last beacon, so that it is said once.
    private var names: [String]?
    private var problems: [String] = []

    /// Opens the socket; nil when discovery is switched off or cannot be, after a warning. `tcpPort`: where this node
    /// takes TCP connections, on all interfaces. `ownTun`: index of the own TUN, 0 without one.
    static func open(
        _ configuration: Configuration.Discovery, tcpPort: UInt16, routerID: RouterID, ownTun: UInt32, seed: UInt64,
        log: Log, now: Instant
    ) -> LocalDiscovery? {
        guard configuration.enabled, let own = PublicKey(bytes: routerID.key) else { return nil }
        guard tcpPort != 0 else {
            log.warning("discovery", "no discovery on the local network: this node takes no TCP connections")
            return nil
        }
        var options = DiscoverySocket.Options()
        options.port = UInt16(clamping: configuration.port)
        options.interfaces = configuration.interfaces
        options.ownTun = ownTun
        do throws(RimError) {
            let socket = try DiscoverySocket.open(options)
            return LocalDiscovery(
                socket, Discovery(own: own, seed: seed, now: now), routerID: routerID, tcpPort: tcpPort, log: log)
        } catch {
            log.warning("discovery", "no discovery on the local network: \(error)")
            return nil
        }
    }

    private init(
        _ socket: DiscoverySocket, _ endpoints: Discovery, routerID: RouterID, tcpPort: UInt16, log: Log
    ) {
        self.socket = socket
        self.endpoints = endpoints
        self.routerID = routerID
        self.tcpPort = tcpPort
        self.log = log
    }

    /// When `turn` has something to do by itself.
    func nextDeadline(now: Instant) -> Instant {
        var next = endpoints.nextDeadline
        if pausedUntil > now { next = min(next, pausedUntil) }
        for endpoint in waiting { next = min(next, endpoint.dialDue) }
        return handed.isEmpty ? next : min(next, nextLook)
    }

    /// What `turn` is to be called for, too; none while a flood is waited out.
    func waitDescriptors(now: Instant) -> [WaitDescriptor] { pausedUntil > now ? [] : [socket.waitDescriptor] }

    /// One turn, and what follows for control: new neighbours are dialled when their time has come.
    mutating func drive(_ control: inout ControlLoop, now: Instant) {
        waiting += turn(now: now)
        for endpoint in forgotten {
            control.unheard(endpoint: endpoint.address)
            waiting.removeAll { $0 == endpoint }
            handed.removeAll { $0 == endpoint }
        }
        let due = waiting.filter { $0.dialDue <= now }
        waiting.removeAll { $0.dialDue <= now }
        for endpoint in due {
            control.discovered(endpoint: endpoint.address, key: endpoint.key, now: now)
            handed.append(endpoint)
        }
        guard now >= nextLook else { return }
        nextLook = now.advanced(byMilliseconds: LocalDiscovery.lookMilliseconds)
        for endpoint in handed where control.hasStream(with: endpoint.address) { endpoints.connected(endpoint.address) }
        // What control has given up is news again when its next beacon comes.
        let givenUp = handed.filter { endpoint in
            guard !control.hasStream(with: endpoint.address) else { return false }
            endpoints.disconnected(endpoint.address, now: now)
            return !control.dials(endpoint.address)
        }
        for endpoint in givenUp {
            while endpoints.endpoints.contains(endpoint), !endpoints.failed(endpoint.address) {}
        }
        handed.removeAll { givenUp.contains($0) }
    }

    /// Sends the beacon when it is due, takes in those of others, forgets who was silent for long. Returns the neighbours
    /// that are new.
    mutating func turn(now: Instant) -> [DiscoveredEndpoint] {
        if endpoints.beaconDue <= now { sendBeacon(now: now) }
        forgotten = endpoints.advance(to: now)
        guard pausedUntil <= now else { return [] }
        var found: [DiscoveredEndpoint] = []
        for _ in 0..<LocalDiscovery.batch {
            guard let (source, count) = room.withUnsafeMutableBytes({ socket.receive(into: $0) }) else { return found }
            let endpoint = room.withUnsafeBytes { bytes in
                endpoints.receive(UnsafeRawBufferPointer(rebasing: bytes.prefix(count)), from: source, now: now)
            }
            if let endpoint { found.append(endpoint) }
        }
        pausedUntil = now.advanced(byMilliseconds: LocalDiscovery.pauseMilliseconds)
        return found
    }

    private mutating func sendBeacon(now: Instant) {
        let beacon = DiscoveryBeacon(port: tcpPort, routerID: routerID.bytes)?.bytes ?? []
        let round = socket.send(beacon)
        endpoints.beaconSent(
            on: round.interfaces.map(\.index), sent: round.sent, failed: round.failed, checking: round.checking,
            now: now)
        report(round)
    }

    /// Says what changed since the last beacon. At a start interfaces may need some seconds.
    private mutating func report(_ round: DiscoverySocket.Round) {
        let current = round.interfaces.map(\.name)
        if current != names, !current.isEmpty || !endpoints.isRetrying {
            names = current
            if current.isEmpty {
                log.warning(
                    "discovery",
                    "no interface to find nodes of the local network on: one must be up and have a link-local IPv6 address"
                )
            } else {
                log.info("discovery", "looking for nodes of the local network on \(LocalDiscovery.list(current))")
            }
        }
        guard !endpoints.isRetrying else { return }
        let texts = round.problems.map(\.description)
        for text in texts where !problems.contains(text) { log.warning("discovery", text) }
        problems = texts
    }

    /// Some of the names: a host of containers has hundreds.
    private static func list(_ names: [String]) -> String {
        let most = 8
        let rest = names.count - most
        return names.prefix(most).joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
    }
}
