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
    mutating func removeListens() { listens.removeAll() }

    /// The configuration, with what is wrong about it as a whole. It is fit for use only when nothing is wrong.
    func finish() -> (configuration: Configuration, problems: [ConfigurationProblem]) {
        var result = configuration
        var problems: [ConfigurationProblem] = []

        var addresses = Set<ListenURI>()
        for listen in listens where !addresses.insert(listen.value).inserted {
            problems.append(
                ConfigurationProblem(origin: listen.origin, message: "listen.uri: \(listen.value) is listed twice"))
        }

        var peerKeys = Set<PublicKey>()
        for peer in peers where !peerKeys.insert(peer.value.uri.key).inserted {
            problems.append(
                ConfigurationProblem(
                    origin: peer.origin, message: "peer.uri: the peer \(peer.value.uri.key.hex) is listed twice"))
        }
        if let first = peers.dropFirst(configuration.limits.maxPeers).first {
            problems.append(
                ConfigurationProblem(
                    origin: first.origin,
                    message: "peer.uri: limits.max_peers allows \(configuration.limits.maxPeers) peers, "
                        + "\(peers.count) are listed"))
        }

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

        if !listens.isEmpty { result.listen = listens.map(\.value) }
        result.peers = peers.map(\.value)
        result.routes = routes.map(\.value)
        return (result, problems)
    }
}
