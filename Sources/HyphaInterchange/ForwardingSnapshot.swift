public import HyphaFIB

/// What forwarding reads while it works: immutable, replaced as a whole.
public final class ForwardingSnapshot: Sendable {
    public let fib: FIBSnapshot

    public init(fib: FIBSnapshot) { self.fib = fib }
}
