internal import HyphaIdentity

/// A configuration while it is read: keys are assigned one by one, repeated tables entry by entry. `finish` checks what
/// concerns several keys and yields the configuration.
struct ConfigurationDraft: Sendable {
    /// A `[[peer]]` table before it is complete.
    struct PeerEntry: Sendable {
        var uri: PeerURI?
        var label = ""
        var seal: Configuration.Seal?
    }

    /// A `[[route]]` table before it is complete.
    struct RouteEntry: Sendable {
        var key: PublicKey?
        var via: PublicKey?
    }

    var configuration = Configuration()
    var version = 1

    /// Where the value being assigned was written.
    var origin = ValueOrigin.wholeFile
    /// The entry of a repeated table being read.
    var listenEntry: ListenURI?
    var peerEntry = PeerEntry()
    var routeEntry = RouteEntry()

    /// `tcp_listen_port`, if it was set.
    var tcpListenPort: Placed<UInt16>?

    /// False when a peer could not be read: routes through it are then not reported as well.
    var peersAreComplete = true

    private(set) var listens: [Placed<ListenURI>] = []
    private(set) var peers: [Placed<Configuration.Peer>] = []
    private(set) var routes: [Placed<Configuration.FixedRoute>] = []

    /// Starts an entry of a repeated table.
    mutating func beginEntry() {
        listenEntry = nil
        peerEntry = PeerEntry()
        routeEntry = RouteEntry()
    }

    /// Keeps the entry of a repeated table, if its required keys are there.
    mutating func endEntry(of section: ConfigurationSection, origin: ValueOrigin) {
        switch section {
        case .listen:
            if let listenEntry { listens.append(Placed(value: listenEntry, origin: origin)) }
        case .peer:
            if let uri = peerEntry.uri {
                add(Configuration.Peer(uri: uri, label: peerEntry.label, seal: peerEntry.seal), origin: origin)
            }
        case .route:
            if let key = routeEntry.key, let via = routeEntry.via {
                routes.append(Placed(value: Configuration.FixedRoute(key: key, via: via), origin: origin))
            }
        default: break
        }
    }

    mutating func add(_ peer: Configuration.Peer, origin: ValueOrigin) {
        peers.append(Placed(value: peer, origin: origin))
    }

    mutating func removePeers() { peers.removeAll() }

    mutating func removeListens() {
        listens.removeAll()
        tcpListenPort = nil
    }

    /// The configuration, with what is wrong about it as a whole. It is fit for use only when nothing is wrong.
    func finish() -> (configuration: Configuration, problems: [ConfigurationProblem]) {
        var result = configuration
        var problems: [ConfigurationProblem] = []

        result.listen = finishListens(&problems)
        let peerKeys = checkPeers(&problems)

        var destinations = Set<PublicKey>()
        for route in routes {
            if !destinations.insert(route.value.key).inserted {
                problems.append(
                    ConfigurationProblem(
                        origin: route.origin,
                        message: "route.key: there is another route for \(route.value.key.hex)"))
            }
            if peersAreComplete, !peerKeys.contains(route.value.via) {
                problems.append(
                    ConfigurationProblem(
                        origin: route.origin,
                        message: "route.via: \(route.value.via.hex) is not the key of a configured peer"))
            }
        }

        result.peers = peers.map(\.value)
        result.routes = routes.map(\.value)
        return (result, problems)
    }

    /// Where to listen.
    private func finishListens(_ problems: inout [ConfigurationProblem]) -> [ListenURI] {
        var seen = Set<ListenURI>()
        for listen in listens where !seen.insert(listen.value).inserted {
            problems.append(
                ConfigurationProblem(origin: listen.origin, message: "listen.uri: \(listen.value) is listed twice"))
        }
        let hasTCP = configuration.limits.maxTCPLinks > 0
        var result = listens
        if result.isEmpty {
            result.append(Placed(value: .everywhere(.hl1), origin: .wholeFile))
            if hasTCP { result.append(Placed(value: .everywhere(.tcp), origin: .wholeFile)) }
        }
        if let port = tcpListenPort {
            result.removeAll { $0.value.scheme == .tcp }
            result.append(Placed(value: .everywhere(.tcp, port: port.value), origin: port.origin))
        }
        if !hasTCP, let first = result.first(where: { $0.value.scheme == .tcp }) {
            problems.append(
                ConfigurationProblem(
                    origin: first.origin,
                    message: "listen.uri: limits.max_tcp_links = 0 allows no TCP, \(first.value) is to be listened on"))
        }
        if let first = peers.first(where: { $0.value.uri.key != nil }),
            !result.contains(where: { $0.value.scheme == .hl1 })
        {
            problems.append(
                ConfigurationProblem(
                    origin: first.origin,
                    message: "peer.uri: hl1:// peers need a UDP socket: listen on hl1://[::]:0 as well"))
        }
        return result.map(\.value)
    }

    /// Returns the keys of the peers.
    private func checkPeers(_ problems: inout [ConfigurationProblem]) -> Set<PublicKey> {
        var keys = Set<PublicKey>()
        var hosts = Set<PeerURI>()
        for peer in peers {
            let isNew = peer.value.uri.key.map { keys.insert($0).inserted } ?? hosts.insert(peer.value.uri).inserted
            if !isNew {
                let name = peer.value.uri.key?.hex ?? "\(peer.value.uri)"
                problems.append(
                    ConfigurationProblem(origin: peer.origin, message: "peer.uri: the peer \(name) is listed twice"))
            }
            if peer.value.uri.key == nil, peer.value.seal != nil {
                problems.append(
                    ConfigurationProblem(
                        origin: peer.origin, message: "peer.seal: is for hl1:// links, nothing seals a tcp:// link"))
            }
        }
        checkCount(peers.filter { $0.value.uri.key != nil }, "max_peers", configuration.limits.maxPeers, &problems)
        checkCount(
            peers.filter { $0.value.uri.key == nil }, "max_tcp_links", configuration.limits.maxTCPLinks, &problems)
        return keys
    }

    private func checkCount(
        _ peers: [Placed<Configuration.Peer>], _ key: String, _ limit: Int, _ problems: inout [ConfigurationProblem]
    ) {
        guard let first = peers.dropFirst(limit).first else { return }
        let kind = first.value.uri.key == nil ? "tcp://" : "hl1://"
        problems.append(
            ConfigurationProblem(
                origin: first.origin,
                message: "peer.uri: limits.\(key) allows \(limit) \(kind) peers, \(peers.count) are listed"))
    }
}
