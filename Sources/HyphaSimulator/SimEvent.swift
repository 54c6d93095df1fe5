import HyphaWire

/// What happens next in a simulated mesh.
enum SimEvent: Sendable {
    case deliver(type: UInt8, body: [UInt8], link: Int, to: Int, session: UInt32)
    case wake(Int)
    /// A link breaks, or comes back with a new session.
    case cut(Int)
    case heal(Int)
    /// One end of a link notices that its session is gone.
    case notice(link: Int, node: Int, session: UInt32)
    case crash(Int, losesState: Bool)
    case start(Int)
    case cost(Int, roundTrip: UInt16)
    /// Everything is repaired; then everybody asks for everybody; then all must be reachable.
    case repair
    case askAll
    case check
}
