internal import Glibc
internal import HyphaBase
internal import HyphaControl
internal import HyphaIdentity
internal import HyphaInterchange
internal import HyphaRim

extension Node {
    /// How long a drain may take before the node ends anyway.
    private static let drainMilliseconds: UInt64 = 2_000

    /// The control thread: turns until a signal ends the node. Returns the exit code.
    mutating func run() -> Int32 {
        let wait = ControlWait(wake: controlWake, signals: signals)
        _ = StandardStream.write(readyLine + "\n", to: STDOUT_FILENO)
        var drainUntil: Instant?
        while true {
            if let error = workerHandle.error {
                log.error("worker", error)
                return Program.Exit.failed
            }
            while let signal = signals.take() {
                switch signal {
                case .terminate:
                    guard drainUntil == nil else {
                        log.warning("stop", "second signal: ending at once")
                        return Program.Exit.failed
                    }
                    log.info("stop", "draining")
                    drainUntil = SystemClock.now().advanced(byMilliseconds: Node.drainMilliseconds)
                    control.drain(now: SystemClock.now())
                case .dump: _ = StandardStream.write(report() + "\n", to: STDOUT_FILENO)
                case .reload:
                    log.warning("reload", "the configuration cannot be reloaded while running: restart the node")
                }
            }
            let now = SystemClock.now()
            takeResolutions(now: now)
            if drainUntil == nil { takeNeighbours(now: now) }
            let busy = turn(now: now)
            if let limit = drainUntil {
                if control.isDrained {
                    worker.join()
                    log.info("stop", "drained, ending")
                    return Program.Exit.done
                }
                if now >= limit {
                    log.warning("stop", "not drained after \(Node.drainMilliseconds / 1_000) s, ending anyway")
                    return Program.Exit.done
                }
            }
            for change in changes.take() {
                offload.apply(change)
                log.warning("offload", "\(change)")
            }
            if busy { continue }
            port.controlGoesToSleep()
            // Whatever came between the last look and the announcement is seen here.
            if turn(now: SystemClock.now()) {
                port.controlIsAwake()
                continue
            }
            let deadline = [control.nextDeadline, discovery?.nextDeadline(now: now), drainUntil].compactMap { $0 }.min()
            _ = wait.sleep(until: deadline, orReadable: discovery?.waitDescriptors(now: now) ?? [])
            port.controlIsAwake()
        }
    }

    /// What scripts wait for: `ready address=A listen=[::]:9651 tcp=[::]:9651`. The UDP addresses, then the TCP addresses
    /// if there are any.
    private var readyLine: String {
        func list(_ addresses: [SocketAddress]) -> String { addresses.map { "\($0)" }.joined(separator: ",") }
        let tcp = listening.tcp.isEmpty ? "" : " tcp=\(list(listening.tcp))"
        return "ready address=\(identity.address) listen=\(list(listening.udp))\(tcp)"
    }

    /// One pass of the control plane; wakes the worker if it left something for it.
    private mutating func turn(now: Instant) -> Bool {
        let log = log
        let resolver = resolver
        let stateFile = stateFile
        let busy = control.turn(now: now, wallSeconds: SystemClock.wallSeconds) { action in
            switch action {
            case .resolve(let link, let host, let port):
                if !resolver.resolve(id: UInt64(link), host: host, port: port) {
                    log.warning("resolve", "too many host names to look up at once; \(host) waits for its next try")
                }
            case .log(let level, let text, let key): log.control(level, text, key: key)
            case .persist(let state):
                do throws(NodeError) { try stateFile.save(state) } catch { log.warning("state", error.description) }
            case .command, .inject, .publish: break
            }
        }
        if busy, port.takeWorkerSleep() { workerWake.signal() }
        return busy
    }

    /// Beacons out and in, and who is dialled for them.
    private mutating func takeNeighbours(now: Instant) {
        if let routerID = control.loop.routerID { discovery?.routerID = routerID }
        discovery?.drive(&control.loop, now: now)
    }

    private mutating func takeResolutions(now: Instant) {
        while let resolution = resolver.take() {
            if !resolution.error.isEmpty { log.warning("resolve", resolution.error) }
            control.loop.resolved(
                link: UInt32(truncatingIfNeeded: resolution.id), host: resolution.host, port: resolution.port,
                addresses: resolution.addresses.map {
                    ResolvedAddress(address: $0, largestDatagram: UInt16(clamping: PathMTU.toward($0)))
                }, now: now)
        }
    }
}
