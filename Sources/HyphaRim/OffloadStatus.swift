internal import CKernel
internal import CUring

/// Which offloads are in use, and why the others are not. Built at start by `probe` and `TunDevice.open`; kept up to
/// date by its owner with `apply`.
public struct OffloadStatus: Sendable, Equatable {
    /// One offload.
    public struct Feature: Sendable, Equatable {
        public var isOn: Bool
        /// Why it is off; empty while it is on.
        public var reason: String

        /// In use.
        public static let on = Feature(isOn: true, reason: "")
        /// Not in use, and why.
        public static func off(_ reason: String) -> Feature { Feature(isOn: false, reason: reason) }
    }

    /// Trains of datagrams are received as one.
    public var udpGRO: Feature
    /// Trains of datagrams are sent as one.
    public var udpGSO: Feature
    /// TCP super-packets pass the TUN.
    public var tunTSO: Feature
    /// UDP super-packets pass the TUN.
    public var tunUSO: Feature
    /// One request serves all reads of the TUN.
    public var multishotRead: Feature
    /// One receive of a TCP connection fills several buffers.
    public var receiveBundles: Feature
    /// Most datagrams in one send.
    public var segmentLimit: Int

    /// IORING_OP_READ_MULTISHOT (Linux 6.7); liburing's header may be older.
    static let readMultishotOpcode: Int32 = 49

    /// Asks the kernel for each offload. The TUN's stay off until a `TunDevice` is open.
    ///
    /// Throws `ringUnavailable` without a usable io_uring, `offloadUnavailable` when configuration demands what is not
    /// there.
    public static func probe(_ settings: OffloadSettings) throws(RimError) -> OffloadStatus {
        var release = KernelRelease.current
        release = release.isEmpty ? "this kernel" : "Linux \(release)"
        let gro = try decide(
            settings.udpGRO, key: "udp_gro", has: chy_udp_has_gro() == 1, lack: "\(release) has no UDP_GRO")
        let gso = try decide(
            settings.udpGSO, key: "udp_gso", has: chy_udp_has_gso() == 1, lack: "\(release) has no UDP_SEGMENT")
        let ring = try Uring.open(entries: 8, completions: 16)
        let multishot = try decide(
            settings.multishotRead, key: "multishot_read", has: ring.supports(readMultishotOpcode),
            lack: "\(release) has no IORING_OP_READ_MULTISHOT (Linux 6.7)")
        let bundles = try decide(
            settings.receiveBundles, key: "receive_bundles", has: ring.hasBundles,
            lack: "\(release) has no IORING_RECVSEND_BUNDLE that loses nothing (Linux 6.16)")
        return OffloadStatus(
            udpGRO: gro, udpGSO: gso, tunTSO: .off("no TUN"), tunUSO: .off("no TUN"), multishotRead: multishot,
            receiveBundles: bundles, segmentLimit: gso.isOn ? 128 : 1)
    }

    /// Configuration's word against the kernel's.
    static func decide(
        _ mode: OffloadSettings.Mode, key: String, has: Bool, lack: String
    ) throws(RimError) -> Feature {
        switch (mode, has) {
        case (.off, _): return .off("switched off by configuration")
        case (_, true): return .on
        case (.auto, false): return .off(lack)
        case (.on, false):
            throw RimError(
                .offloadUnavailable,
                "\(key) = \"on\", but \(lack): set it to \"auto\" or \"off\", or use a newer kernel")
        }
    }

    /// Takes over the TUN's share.
    public mutating func apply(_ tun: TunDevice) {
        tunTSO = tun.tso
        tunUSO = tun.uso
    }

    /// Takes over what a worker found out while running.
    public mutating func apply(_ change: OffloadChange) {
        switch change {
        case .segmentLimit: segmentLimit = 64
        case .segmentationRefused:
            udpGSO = .off(change.description)
            segmentLimit = 1
        case .multishotReadRefused: multishotRead = .off(change.description)
        case .tunLost:
            tunTSO = .off(change.description)
            tunUSO = .off(change.description)
        case .socketLost: break
        }
    }
}
