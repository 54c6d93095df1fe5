internal import CSodium
internal import HyphaBase
internal import HyphaControl
internal import HyphaDataplane
internal import HyphaIdentity
internal import HyphaInterchange
internal import HyphaPacket
internal import HyphaRim
internal import HyphaRouting
internal import HyphaSession

/// What the operator chose, as each room takes it.
extension Node {
    static func settings(_ configuration: Configuration) -> OffloadSettings {
        let tun = OffloadSettings.Mode(configuration.tun.offload)
        return OffloadSettings(
            udpGRO: OffloadSettings.Mode(configuration.tuning.udpGRO),
            udpGSO: OffloadSettings.Mode(configuration.tuning.udpGSO), tunTSO: tun, tunUSO: tun == .off ? .off : .auto)
    }

    /// The TUN with super-packets sized so that one of them fills one train: its full segments, as they are on the wire,
    /// come to just under the largest UDP train.
    static func tunOptions(_ configuration: Configuration, _ address: IPv6Address) -> TunDevice.Options {
        var options = TunDevice.Options()
        let mode = OffloadSettings.Mode(configuration.tun.offload)
        let mtu = configuration.tun.mtu
        let segments = Train.maxBytes / Worker.wireSize(innerLength: mtu)
        options.name = configuration.tun.name
        options.address = address
        options.mtu = mtu
        options.gsoMaxSize = segments > 1 ? min(65_535, segments * (mtu - 60) + 100) : 0
        options.tso = mode
        options.uso = mode == .off ? .off : .auto
        return options
    }

    /// Link ids: places for HL1 links, then for TCP links. `limits` keeps both together below 65,536.
    static func linkNumbering(_ configuration: Configuration) -> LinkNumbering {
        LinkNumbering(
            datagramLinks: configuration.limits.maxPeers + configuration.peers.filter { $0.uri.key != nil }.count,
            streams: configuration.limits.maxTCPLinks)
    }

    static func controlConfiguration(
        _ configuration: Configuration, _ links: LinkNumbering, suites: UInt8, _ sockets: [UDPSocket],
        _ state: RouterState?
    ) -> ControlConfiguration {
        // The socket that a dial leaves through: the first that speaks the family.
        let ipv4 = sockets.firstIndex { $0.isIPv4 || $0.localAddress.address == IPv6Address(high: 0, low: 0) } ?? 0
        let ipv6 = sockets.firstIndex { !$0.isIPv4 } ?? 0
        return ControlConfiguration(
            peers: configuration.peers.compactMap { peer in
                peer.uri.key.map { key in
                    ConfiguredPeer(
                        key: key, host: peer.uri.host, port: peer.uri.port, label: peer.label,
                        seal: peer.seal.map { $0 == .full ? .full : .header })
                }
            },
            routes: configuration.routes.map { ConfiguredRoute(key: $0.key, via: $0.via) },
            maxPeers: configuration.limits.maxPeers, maxSessions: configuration.limits.sessions, suites: suites,
            largestDatagram: Node.largestDatagram, largestBody: Node.largestDatagram - 80,
            ipv4Socket: UInt8(clamping: ipv4), ipv6Socket: UInt8(clamping: ipv6),
            routing: RoutingSettings(state: state, isTransit: configuration.routing.transit),
            streamPeers: configuration.peers.filter { $0.uri.key == nil }.map {
                ConfiguredStreamPeer(host: $0.uri.host, port: $0.uri.port, label: $0.label)
            },
            links: links, session: SessionPolicy(configuration.crypto.session))
    }

    static func workerConfiguration(
        _ configuration: Configuration, _ links: LinkNumbering, _ identity: NodeIdentity, aead: OpaquePointer
    ) -> WorkerConfiguration {
        let limits = configuration.limits
        let streams = StreamBudget(limits)
        var result = WorkerConfiguration(
            ownAddress: identity.address, entryMode: configuration.crypto.seal == .header ? .header : .full,
            maxLinks: Int(links.firstStream), maxPeers: limits.sessions, parkedPackets: limits.parkedPackets,
            aead: aead)
        result.maxStreams = streams.links
        result.streamQueueSlots = streams.queueSlots
        result.streamSlabs = streams.assemblySlabs
        result.asksForRoutes = true
        result.stock = StockConfiguration(
            session: SessionPolicy(configuration.crypto.session), early: EarlyPolicy(configuration.crypto.early),
            noncePrefix: randomWord(), hashKey: randomWord(), keys: limits.sessions
        ) { key, secret in
            guard let key = PublicKey(bytes: Array(UnsafeBufferPointer(start: key, count: 32))) else { return false }
            return identity.withStockSecret(with: key) { secret.update(from: $0, count: 32) } != nil
        }
        return result
    }

    /// 64 bits from the operating system.
    private static func randomWord() -> UInt64 {
        var word: UInt64 = 0
        withUnsafeMutableBytes(of: &word) { bytes in
            if let base = bytes.baseAddress { randombytes_buf(base, bytes.count) }
        }
        return word
    }

    /// The core of the first worker: the first of `tuning.cpus`, else the last that the process may use (the first one
    /// tends to serve interrupts). Nil without pinning, or when there is only one core.
    static func cpu(_ tuning: Configuration.Tuning) -> Int? {
        if let first = tuning.cpus.cpus.first { return first }
        let usable = Threads.usableCPUs
        return tuning.pin && usable.count > 1 ? usable.last : nil
    }
}

extension OffloadSettings.Mode {
    init(_ feature: Configuration.Feature) {
        switch feature {
        case .auto: self = .auto
        case .on: self = .on
        case .off: self = .off
        }
    }
}

extension SessionPolicy {
    init(_ session: Configuration.Session) {
        switch session {
        case .auto: self = .auto
        case .classic: self = .classic
        case .require: self = .require
        }
    }
}

extension EarlyPolicy {
    init(_ early: Configuration.Early) {
        switch early {
        case .queue: self = .queue
        case .legacy: self = .legacy
        }
    }
}
