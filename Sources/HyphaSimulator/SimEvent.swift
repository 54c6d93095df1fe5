/// What happens next in a simulated mesh.
enum SimEvent: Sendable {
    case deliver(SimMessage)
    case wake(Int)
    /// A link breaks, or comes back.
    case cut(Int)
    case heal(Int)
    /// One end of a link notices that its session is gone.
    case notice(link: Int, node: Int, session: UInt32)
    case crash(Int, losesState: Bool)
    case start(Int)
    case cost(Int, roundTrip: UInt16)
    case loss(Int, perMille: UInt64)
    case jitter(Int, milliseconds: UInt64)
    /// A hostile node does what its role is.
    case attack(Int)
    /// Everything is repaired; then everybody asks for everybody; then it is quiet; then all must be reachable.
    case repair
    case askAll
    case quiet
    case check
}
