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
    /// Nil: switched off, or impossible here.
    var discovery: LocalDiscovery?
    let changes: OffloadChanges
    /// UDP and TCP addresses that are listened on, with the ports in use.
    let listening: (udp: [SocketAddress], tcp: [SocketAddress])
    var offload: OffloadStatus
    var control: ControlPort
    let started: Instant
    let stateFile: StateFile

    /// Opens everything and starts forwarding.
    static func open(_ configuration: Configuration, log: Log) throws -> Node {
        // Before the first thread: a thread that does not block the signals would be interrupted by them.
        let signals = try Signals()
        guard sodium_init() >= 0 else { throw NodeError("libsodium does not start on this machine") }
        let files = OpenFileLimit.raise()
        let identity = try loadIdentity(configuration, log)
        let suites = try SuiteChoice.make(configuration.crypto)
        var offload = try OffloadStatus.probe(settings(configuration))

        let sockets = try configuration.listen.filter { $0.scheme == .hl1 }.map { listen in
            var options = UDPSocket.Options()
            options.receiveBuffer = configuration.tuning.socketBuffer.bytes
            options.sendBuffer = configuration.tuning.socketBuffer.bytes
            options.gro = OffloadSettings.Mode(configuration.tuning.udpGRO)
            return try UDPSocket.bind(listen.address, options: options)
        }
        let listeners = try configuration.listen.filter { $0.scheme == .tcp }.map { try TCPListener.bind($0.address) }
        var tun: TunDevice?
        if configuration.tun.enabled {
            let device = try TunDevice.open(tunOptions(configuration, identity.address))
            offload.apply(device)
            tun = device
        }

        let limits = configuration.limits
        let links = linkNumbering(configuration)
        let linkSessions = try sessionTable(entries: 4 * Int(links.firstStream), .link)
        let flowSessions = try sessionTable(entries: 3 * limits.sessions, .flow)
        let port = WorkerPort(
            snapshot: ForwardingSnapshot(fib: FIBBuilder().build()), linkSessions: linkSessions,
            flowSessions: flowSessions)

        let streams = StreamBudget(limits)
        // Packets may wait for a session, and as many for a route.
        let slots = 2 * limits.parkedPackets + 1_024 + Worker.fragmentSlots
        let pool = PacketPool(slabs: limits.slabs + streams.slabs, slots: slots + streams.slots)
        Memory.adviseHugePages(pool.region)
        let counters = WorkerCounters()
        let workerWake = try Wake()
        let controlWake = try Wake()
        let changes = OffloadChanges()
        var options = WorkerIO.Options(
            sockets: sockets, tun: tun, pool: pool, counters: counters, wake: workerWake, offload: offload,
            changes: changes)
        options.listeners = listeners
        options.streamBuffers = streams.receiveSlabs
        options.maxConnections = streams.links
        let io = try WorkerIO.open(options)
        guard let aead = caead_context_create() else { throw NodeError("no memory for the packet ciphers") }

        let stateFile = StateFile(
            path: configuration.node.stateFile.isEmpty
                ? configuration.node.keyFile + ".state" : configuration.node.stateFile)
        var state: RouterState?
        do throws(NodeError) { state = try stateFile.load() } catch { log.warning("state", error.description) }
        let now = SystemClock.now()
        let loop = ControlLoop(
            configuration: controlConfiguration(configuration, links, suites: suites.offered, sockets, state),
            identity: identity,
            network: .open, random: KernelRandom(), linkSessions: linkSessions, flowSessions: flowSessions,
            wallSeconds: SystemClock.wallSeconds, now: now)
        let control = ControlPort(
            port: port,
            publisher: SnapshotPublisher(
                cells: [port.snapshots], first: ForwardingSnapshot(fib: FIBBuilder().build())), loop: loop)
        let resolver = try Resolver.start(wake: controlWake)
        var discovery: LocalDiscovery?
        if let routerID = control.loop.routerID {
            // Neighbours dial the address that a beacon came from: a listener on all addresses, or none.
            let everywhere = listeners.first { $0.localAddress.address == IPv6Address(high: 0, low: 0) }
            discovery = LocalDiscovery.open(
                configuration.discovery, tcpPort: everywhere?.localAddress.port ?? 0, routerID: routerID,
                ownTun: tun?.index ?? 0, seed: UInt64.random(in: .min ... .max), log: log, now: now)
        }

        let handle = WorkerThread.Handle()
        let thread = WorkerThread(
            workerConfiguration(configuration, links, identity, aead: aead),
            io: io, pool: pool, counters: counters, port: port, controlWake: controlWake, handle: handle)
        let worker = try Threads.spawn(
            name: "hypha-worker-0", cpu: cpu(configuration.tuning), state: thread
        ) { $0.run() }

        log.info("start", "hypha \(Version.number) on Linux \(KernelRelease.current), key \(identity.publicKey.hex)")
        log.info("ciphers", "packet ciphers: \(suites.summary)")
        log.info("offload", "offloads: \(describe(offload, hasTun: tun != nil))")
        let sharedFiles = sockets.count + listeners.count
        if let warning = OpenFileLimit.warning(limit: files, links: streams.links, sockets: sharedFiles) {
            log.warning("open_files", warning)
        }
        return Node(
            log: log, signals: signals, identity: identity, port: port, workerWake: workerWake,
            controlWake: controlWake, worker: worker, workerHandle: handle, resolver: resolver, discovery: discovery,
            changes: changes,
            listening: (sockets.map(\.localAddress), listeners.map(\.localAddress)), offload: offload, control: control,
            started: now,
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

    private static func describe(_ offload: OffloadStatus, hasTun: Bool) -> String {
        var features: [(String, OffloadStatus.Feature)] = [
            ("UDP GRO", offload.udpGRO), ("UDP GSO", offload.udpGSO), ("receive bundles", offload.receiveBundles),
        ]
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
