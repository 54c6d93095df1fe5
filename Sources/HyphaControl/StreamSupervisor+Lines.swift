import HyphaBase
import HyphaInterchange

/// What the log is told.
extension StreamSupervisor {
    /// Between two lines about connections that were refused.
    private static let refusalLineMilliseconds: UInt64 = 10_000

    /// What people call a target.
    func name(_ target: StreamTarget) -> String {
        let place =
            target.isConfigured
            ? "tcp://" + (target.host.contains(":") ? "[\(target.host)]" : target.host) + ":\(target.port)"
            : "tcp://\(target.addresses.first.map(String.init(describing:)) ?? "")"
        return target.label.isEmpty ? place : "\(target.label) (\(place))"
    }

    /// Guests come and go in numbers: their lines are limited together.
    mutating func log(
        _ connection: StreamConnection, _ what: String, now: Instant, _ context: inout ControlContext
    ) {
        if let number = connection.target, let target = targets[Int(number)] {
            let place = target.isConfigured ? " at \(connection.remote)" : ""
            context.log(.info, key: "stream-\(number)", "peer \(name(target))\(place) \(what)")
        } else if guestLines.take(now: now) {
            context.log(.info, key: "guest", "peer tcp://\(connection.remote) \(what)")
        }
    }

    /// The worker turned connections away: too many came from one address, or /64, in a short time.
    mutating func limited(_ group: UInt64, now: Instant, _ context: inout ControlContext) {
        let isIPv4 = group >> 32 == 0
        let octets = (0..<4).map { String(group >> (24 - 8 * UInt64($0)) & 255) }
        logRefusal(
            "too many come from there in a short time",
            isIPv4 ? octets.joined(separator: ".") : "\(IPv6Address(high: group, low: 0))/64", now: now, &context)
    }

    mutating func logRefusal(
        _ reason: String, _ remote: String, now: Instant, _ context: inout ControlContext
    ) {
        if let last = refusalLine, now.milliseconds(since: last) < StreamSupervisor.refusalLineMilliseconds { return }
        refusalLine = now
        context.log(.warning, key: "stream-cap", "refused a TCP connection from \(remote): \(reason)")
    }

    /// Targets in their order, then who came by itself, by link.
    func status(now: Instant) -> [StreamStatus] {
        let dialled = targets.compactMap { target -> StreamStatus? in
            guard let target else { return nil }
            guard case .up(let id) = target.state, let connection = open(id) else {
                return StreamStatus(target, nil, now: now)
            }
            return StreamStatus(target, connection, now: now)
        }
        return dialled + open.filter { $0.target == nil }.map { StreamStatus(nil, $0, now: now) }
    }
}
