import HyphaBase
import HyphaInterchange

/// Dialling.
extension StreamSupervisor {
    /// The answer to a `resolve` action with this id.
    mutating func resolved(
        id: UInt32, host: String, port: UInt16, addresses: [ResolvedAddress], now: Instant,
        _ context: inout ControlContext
    ) {
        let number = id & ~StreamSupervisor.resolveBit
        guard !isStopping, links.streams > 0, number < configuredCount, let target = targets[Int(number)],
            target.host == host,
            target.port == port
        else { return }
        update(number, now: now, &context) { $0.answered(addresses.map(\.address), now: now) }
        if case .resolving = target.state { dialRound(number, now: now, &context) }
    }

    /// The dial with this number came to nothing.
    mutating func dialFailed(number dial: UInt32, error: UInt32, now: Instant, _ context: inout ControlContext) {
        guard let number = dialling(dial) else { return }
        failed(number, error: error, now: now, &context)
    }

    /// A dial to a target begins, with the name service if its answer is old.
    mutating func begin(_ number: UInt32, now: Instant, _ context: inout ControlContext) {
        guard let target = targets[Int(number)] else { return }
        guard target.mustResolve(now: now) else { return dialRound(number, now: now, &context) }
        update(number, now: now, &context) { $0.resolve(now: now) }
        context.actions.append(
            .resolve(link: StreamSupervisor.resolveBit | number, host: target.host, port: target.port))
    }

    mutating func dialRound(_ number: UInt32, now: Instant, _ context: inout ControlContext) {
        guard let target = targets[Int(number)] else { return }
        if !target.isConfigured, let address = target.addresses.first, isConnected(address) {
            // It came by itself meanwhile.
            return forget(number)
        }
        if !target.isConfigured, isReached(target) {
            return update(number, now: now, &context) { $0.standBy(now: now) }
        }
        if target.addresses.isEmpty {
            context.log(.warning, key: "stream-\(number)", "peer \(name(target)): \(target.host) has no address")
        }
        update(number, now: now, &context) { $0.beginRound() }
        dialNext(number, now: now, &context)
    }

    /// Dials the next address of a round, or rests.
    private mutating func dialNext(_ number: UInt32, now: Instant, _ context: inout ControlContext) {
        generation = (generation + 1) & 0xFFFF
        let dial = generation << 16 | number
        let address = targets[Int(number)]?.dial(number: dial, now: now)
        guard let address else {
            if let target = targets[Int(number)], !target.isConfigured,
                target.failures >= StreamTarget.discoveredFailures
            {
                return forget(number)
            }
            return rest(number, now: now, &context)
        }
        update(number, now: now, &context) { _ in }
        context.command(WorkerCommand(.openStream, id: dial, endpoint: address))
    }

    mutating func failed(_ number: UInt32, error: UInt32, now: Instant, _ context: inout ControlContext) {
        context.count.dialsFailed += 1
        if targets[Int(number)]?.failed(error, now: now) ?? false, let target = targets[Int(number)] {
            context.log(
                target.isConfigured ? .warning : .debug, key: "stream-\(number)",
                "peer \(name(target)): no connection: \(SystemErrorText.describe(error)); it is tried again")
        }
        dialNext(number, now: now, &context)
    }

    mutating func rest(_ number: UInt32, now: Instant, _ context: inout ControlContext) {
        var jitter = context.jitter
        update(number, now: now, &context) { $0.rest(now: now, jitter: &jitter) }
        context.jitter = jitter
    }

    mutating func forget(_ number: UInt32) {
        targets[Int(number)] = nil
        deadlines.set(number, nil)
    }

    mutating func update(
        _ number: UInt32, now: Instant, _ context: inout ControlContext, _ change: (inout StreamTarget) -> Void
    ) {
        guard var target = targets[Int(number)] else { return }
        change(&target)
        targets[Int(number)] = target
        deadlines.set(number, target.nextDeadline)
    }

    /// The target that is being dialled under this number.
    func dialling(_ dial: UInt32) -> UInt32? {
        let number = dial & 0xFFFF
        guard number < targets.count, case .dialling(dial, _) = targets[Int(number)]?.state else { return nil }
        return number
    }
}
