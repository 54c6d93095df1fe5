public import HyphaBase

/// One address of a host, as the resolver and the kernel's routes know it.
public struct ResolvedAddress: Sendable, Equatable {
    public var address: SocketAddress
    /// Largest UDP payload that fits the path as far as the kernel knows, bytes; 0 when it does not know.
    public var largestDatagram: UInt16

    public init(address: SocketAddress, largestDatagram: UInt16) {
        self.address = address
        self.largestDatagram = largestDatagram
    }
}
