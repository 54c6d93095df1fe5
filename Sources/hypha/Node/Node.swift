internal import CAEAD
internal import CSodium
internal import HyphaBase
internal import HyphaControl
internal import HyphaDataplane
internal import HyphaFIB
internal import HyphaIdentity
internal import HyphaInterchange
internal import HyphaPacket
internal import HyphaRim
internal import HyphaRouting
internal import HyphaSession

/// A running node: everything that `runNode` opens, in the order in which it is opened.
///
/// The only place that knows all rooms. Set-up happens on the main thread, so that every error is a line for the user;
/// then the worker thread starts, and the main thread becomes the control thread.
struct Node: ~Copyable {
    /// Largest datagram (UDP payload) that this node takes: a train's slab is never the limit.
    static let largestDatagram: UInt16 = 9_000

    let log: Log
    let signals: Signals
    let identity: NodeIdentity
    let port: WorkerPort
    let workerWake: Wake
    let controlWake: Wake
    let worker: ThreadHandle
    let workerHandle: WorkerThread.Handle
    let resolver: Resolver
    let changes: OffloadChanges
    let listening: [SocketAddress]
    var offload: OffloadStatus
    var control: ControlPort
    let started: Instant
    let stateFile: StateFile

    /// Opens everything and starts forwarding.
    static func open(_ configuration: Configuration, log: Log) throws -> Node {
        // Before the first thread: a thread that does not block the signals would be interrupted by them.
        let signals = try Signals()
        guard sodium_init() >= 0 else { throw NodeError("libsodium does not start on this machine") }
        let identity = try loadIdentity(configuration, log)
        let suites = try SuiteChoice.make(configuration.crypto)
        var offload = try OffloadStatus.probe(settings(configuration))

        let sockets = try configuration.listen.map { listen in
            var options = UDPSocket.Options()
            options.receiveBuffer = configuration.tuning.socketBuffer.bytes
            options.sendBuffer = configuration.tuning.socketBuffer.bytes
            options.gro = OffloadSettings.Mode(configuration.tuning.udpGRO)
            return try UDPSocket.bind(listen.address, options: options)
        }
        var tun: TunDevice?
        if configuration.tun.enabled {
            let device = try TunDevice.open(tunOptions(configuration, identity.address))
            offload.apply(device)
            tun = device
        }

        let limits = configuration.limits
        let links = limits.maxPeers + configuration.peers.count
        let linkSessions = try sessionTable(entries: 4 * links, .link)
        let flowSessions = try sessionTable(entries: 3 * limits.sessions, .flow)
        let port = WorkerPort(
            snapshot: ForwardingSnapshot(fib: FIBBuilder().build()), linkSessions: linkSessions,
            flowSessions: flowSessions)

        let pool = PacketPool(slabs: limits.slabs, slots: limits.parkedPackets + 1_024 + Worker.fragmentSlots)
        Memory.adviseHugePages(pool.region)
        let counters = WorkerCounters()
        let workerWake = try Wake()
        let controlWake = try Wake()
        let changes = OffloadChanges()
        let io = try WorkerIO.open(
            WorkerIO.Options(
                sockets: sockets, tun: tun, pool: pool, counters: counters, wake: workerWake, offload: offload,
                changes: changes))
        guard let aead = caead_context_create() else { throw NodeError("no memory for the packet ciphers") }

        let stateFile = StateFile(
            path: configuration.node.stateFile.isEmpty
                ? configuration.node.keyFile + ".state" : configuration.node.stateFile)
        var state: RouterState?
        do throws(NodeError) { state = try stateFile.load() } catch { log.warning("state", error.description) }
        let now = SystemClock.now()
        let loop = ControlLoop(
            configuration: controlConfiguration(configuration, suites: suites.offered, sockets, state),
            identity: identity,
            network: .open, random: KernelRandom(), linkSessions: linkSessions, flowSessions: flowSessions,
            wallSeconds: SystemClock.wallSeconds, now: now)
        let control = ControlPort(
            port: port,
            publisher: SnapshotPublisher(
                cells: [port.snapshots], first: ForwardingSnapshot(fib: FIBBuilder().build())), loop: loop)
        let resolver = try Resolver.start(wake: controlWake)

        let handle = WorkerThread.Handle()
        let thread = WorkerThread(
            WorkerConfiguration(
                ownAddress: identity.address, entryMode: configuration.crypto.seal == .header ? .header : .full,
                maxLinks: links, maxPeers: limits.sessions, parkedPackets: limits.parkedPackets, aead: aead),
            io: io, pool: pool, counters: counters, port: port, controlWake: controlWake, handle: handle)
        let worker = try Threads.spawn(
            name: "hypha-worker-0", cpu: cpu(configuration.tuning), state: thread
        ) { $0.run() }

        log.info("start", "hypha \(Version.number) on Linux \(KernelRelease.current), key \(identity.publicKey.hex)")
        log.info("ciphers", "packet ciphers: \(suites.summary)")
        log.info("offload", "offloads: \(describe(offload, hasTun: tun != nil))")
        return Node(
            log: log, signals: signals, identity: identity, port: port, workerWake: workerWake,
            controlWake: controlWake, worker: worker, workerHandle: handle, resolver: resolver, changes: changes,
            listening: sockets.map(\.localAddress), offload: offload, control: control, started: now,
            stateFile: stateFile)
    }

    private static func loadIdentity(_ configuration: Configuration, _ log: Log) throws -> NodeIdentity {
        let file = KeyFile(path: configuration.node.keyFile)
        let (identity, isNew) = try file.loadOrCreate()
        if isNew { log.info("key_created", "made a new key in \(file.path); whoever has this file is this node") }
        return identity
    }

    /// Zeroed session memory, reserved and not touched.
    private static func sessionTable(entries: Int, _ scope: SessionTable.Scope) throws -> SessionTable {
        var capacity = 64
        while capacity < entries, capacity < 65_536 { capacity *= 2 }
        let memory = try Memory.reserve(bytes: capacity * SessionTable.blockSize)
        guard let base = memory.baseAddress else { throw NodeError("no memory for sessions") }
        return SessionTable(memory: base, capacity: capacity, scope: scope)
    }

    private static func settings(_ configuration: Configuration) -> OffloadSettings {
        let tun = OffloadSettings.Mode(configuration.tun.offload)
        return OffloadSettings(
            udpGRO: OffloadSettings.Mode(configuration.tuning.udpGRO),
            udpGSO: OffloadSettings.Mode(configuration.tuning.udpGSO), tunTSO: tun, tunUSO: tun == .off ? .off : .auto)
    }

    /// The TUN with super-packets sized so that one of them fills one train: its full segments, as they are on the wire,
    /// come to just under the largest UDP train.
    private static func tunOptions(_ configuration: Configuration, _ address: IPv6Address) -> TunDevice.Options {
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

    private static func controlConfiguration(
        _ configuration: Configuration, suites: UInt8, _ sockets: [UDPSocket], _ state: RouterState?
    ) -> ControlConfiguration {
        // The socket that a dial leaves through: the first that speaks the family.
        let ipv4 = sockets.firstIndex { $0.isIPv4 || $0.localAddress.address == IPv6Address(high: 0, low: 0) } ?? 0
        let ipv6 = sockets.firstIndex { !$0.isIPv4 } ?? 0
        return ControlConfiguration(
            peers: configuration.peers.map {
                ConfiguredPeer(
                    key: $0.uri.key, host: $0.uri.host, port: $0.uri.port, label: $0.label,
                    seal: $0.seal.map { $0 == .full ? .full : .header })
            },
            routes: configuration.routes.map { ConfiguredRoute(key: $0.key, via: $0.via) },
            maxPeers: configuration.limits.maxPeers, maxSessions: configuration.limits.sessions, suites: suites,
            largestDatagram: Node.largestDatagram, largestBody: Node.largestDatagram - 80,
            ipv4Socket: UInt8(clamping: ipv4), ipv6Socket: UInt8(clamping: ipv6),
            routing: RoutingSettings(state: state, isTransit: configuration.routing.transit))
    }

    /// The core of the first worker: the first of `tuning.cpus`, else the last that the process may use (the first one
    /// tends to serve interrupts). Nil without pinning, or when there is only one core.
    private static func cpu(_ tuning: Configuration.Tuning) -> Int? {
        if let first = tuning.cpus.cpus.first { return first }
        let usable = Threads.usableCPUs
        return tuning.pin && usable.count > 1 ? usable.last : nil
    }

    private static func describe(_ offload: OffloadStatus, hasTun: Bool) -> String {
        var features: [(String, OffloadStatus.Feature)] = [("UDP GRO", offload.udpGRO), ("UDP GSO", offload.udpGSO)]
        if hasTun {
            features += [
                ("TUN TSO", offload.tunTSO), ("TUN USO", offload.tunUSO), ("multishot read", offload.multishotRead),
            ]
        }
        return features.map { name, feature in
            feature.isOn ? "\(name) on" : "\(name) off (\(feature.reason))"
        }.joined(separator: ", ")
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
