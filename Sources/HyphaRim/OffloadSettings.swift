/// What configuration says about each offload.
public struct OffloadSettings: Sendable, Equatable {
    /// One offload's switch.
    public enum Mode: String, Sendable, CaseIterable {
        /// Use it where the kernel has it.
        case auto
        /// Demand it: starting fails without it.
        case on
        /// Never use it.
        case off
    }

    /// Receiving trains of datagrams as one (UDP_GRO).
    public var udpGRO: Mode
    /// Sending trains of datagrams as one (UDP_SEGMENT).
    public var udpGSO: Mode
    /// TCP super-packets on the TUN.
    public var tunTSO: Mode
    /// UDP super-packets on the TUN; needs `tunTSO`.
    public var tunUSO: Mode
    /// One request for all reads of the TUN (IORING_OP_READ_MULTISHOT).
    public var multishotRead: Mode
    /// One receive of a TCP connection into several buffers (IORING_RECVSEND_BUNDLE).
    public var receiveBundles: Mode

    public init(
        udpGRO: Mode = .auto, udpGSO: Mode = .auto, tunTSO: Mode = .auto, tunUSO: Mode = .auto,
        multishotRead: Mode = .auto, receiveBundles: Mode = .auto
    ) {
        self.udpGRO = udpGRO
        self.udpGSO = udpGSO
        self.tunTSO = tunTSO
        self.tunUSO = tunUSO
        self.multishotRead = multishotRead
        self.receiveBundles = receiveBundles
    }
}
