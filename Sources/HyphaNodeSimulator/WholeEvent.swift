import HyphaBase

/// What happens in a simulated mesh of whole nodes.
enum WholeEvent: Sendable {
    /// Parts of a run, in this order.
    enum Phase: Int, Sendable {
        /// Everything arrives; then anything may be lost; then nothing is wrong any more; then everything arrives again.
        case calm, faults, repair, recovered
        /// Hosts send no more; nothing is under way any more; nodes are told to stop; they have.
        case quiet, idle, drain, end
    }

    case phase(Phase)
    /// A host has something to send.
    case send(node: Int)
    /// Datagrams of equal size, but for the last, for a node.
    case datagrams([UInt8], segmentSize: Int, link: Int, to: Int)
    case resolved(node: Int, boot: Int, link: UInt32, host: String, port: UInt16)
    // TCP
    case dial(node: Int, boot: Int, connection: UInt32, to: SocketAddress, attempt: Int)
    case dialEnded(node: Int, boot: Int, connection: UInt32, error: Int32)
    case answered(pipe: Int)
    case bytes([UInt8], pipe: Int, end: Int)
    /// The other side ended it: FIN is 0.
    case ended(pipe: Int, end: Int, error: Int32)
    case stuck(pipe: Int, since: Instant)
    // Faults
    case cut(link: Int)
    case heal(link: Int)
    case loss(link: Int, perMille: UInt64, duplication: UInt64)
    case jitter(link: Int, milliseconds: UInt64)
    case delay(link: Int, milliseconds: UInt64)
    /// A thread of a node does not get the processor.
    case stall(node: Int, control: Bool, milliseconds: UInt64)
    /// Told to stop, and killed if it has not after a while; or killed at once.
    case stop(node: Int, gently: Bool, losesState: Bool)
    case kill(node: Int, boot: Int, losesState: Bool)
    case start(node: Int)
}
