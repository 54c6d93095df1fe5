public import HyphaBase

/// What became of an endpoint of the local network, for the book that remembers it (`Discovery.apply`).
public enum DiscoveryOutcome: Hashable, Sendable {
    /// There is a connection with its host, whoever began it.
    case connected(SocketAddress)
    /// There is none any more.
    case disconnected(SocketAddress)
    /// A dial came to nothing.
    case failed(SocketAddress)
}

extension Discovery {
    /// Takes note of what `ControlLoop.takeDiscoveryOutcomes` told.
    public mutating func apply(_ outcome: DiscoveryOutcome, now: Instant) {
        switch outcome {
        case .connected(let address): connected(address)
        case .disconnected(let address): disconnected(address, now: now)
        case .failed(let address): _ = failed(address)
        }
    }
}
