public import HyphaInterchange
public import HyphaRouting

/// What the control plane wants done. `ControlPort` does the first three, the program the others.
public enum ControlAction: Sendable {
    /// For the worker's command ring. Never to be lost or reordered.
    case command(WorkerCommand)
    /// For the worker's injection ring: head and bytes. May be lost when the ring is full, but for `streamControl`, which
    /// waits.
    case inject(InjectedPacket, [UInt8])
    /// The new forwarding table. If it is refused, `ControlLoop.publicationRefused` asks for another try.
    case publish(ForwardingSnapshot)
    /// Find the addresses of `host` (a name, or an address with "%" and an interface number behind it if link-local)
    /// and how large datagrams to them may be, then call `ControlLoop.resolved` with the same link id, host and
    /// port: the addresses in order of preference, none when it failed. With bit 31 in the id it is about a TCP peer.
    case resolve(link: UInt32, host: String, port: UInt16)
    /// Write the router's state to where the next start finds it, before anything that follows leaves the node.
    case persist(RouterState)
    /// A line for the log. Lines of one `key` are to be limited together.
    case log(LogLevel, String, key: String)
}
