internal import CKernel
internal import Glibc
public import HyphaBase

/// The TUN device of the node, up and configured: one queue for each worker, a 10-byte virtio header on every packet.
/// The device goes when the last reference goes.
public final class TunDevice: Sendable {
    public struct Options: Sendable {
        /// 1 to 15 bytes, without '/', ':', '%' and white space.
        public var name = "hypha0"
        /// The node's own address; nil leaves the device without one.
        public var address: IPv6Address?
        /// The kernel's connected route covers this many bits of the address: 7 leads all of 400::/7 to the device.
        public var prefixLength = 7
        /// Bytes of the largest packet.
        public var mtu = 1_400
        /// Bytes of the largest super-packet; 0 leaves the kernel's default.
        public var gsoMaxSize = 0
        /// One for each worker.
        public var queues = 1
        /// TCP super-packets.
        public var tso = OffloadSettings.Mode.auto
        /// UDP super-packets; needs `tso`.
        public var uso = OffloadSettings.Mode.auto

        public init() {}
    }

    /// The device's name.
    public let name: String
    /// Its interface index.
    public let index: UInt32
    /// TCP super-packets pass whole.
    public let tso: OffloadStatus.Feature
    /// UDP super-packets pass whole.
    public let uso: OffloadStatus.Feature
    let queues: [Int32]

    private init(
        name: String, index: UInt32, tso: OffloadStatus.Feature, uso: OffloadStatus.Feature, queues: [Int32]
    ) {
        self.name = name
        self.index = index
        self.tso = tso
        self.uso = uso
        self.queues = queues
    }

    deinit {
        for queue in queues { chy_close(queue) }
    }

    /// Creates the device, or takes over a persistent one that nobody uses, and configures it.
    public static func open(_ options: Options) throws(RimError) -> TunDevice {
        guard isName(options.name) else {
            throw RimError(
                .badName,
                "\"\(options.name)\" is no name for a TUN device: use 1 to 15 letters, digits, '-', '_' or '.'")
        }
        guard (1_280...65_535).contains(options.mtu) else {
            throw RimError(
                .system,
                "tun.mtu = \(options.mtu) is out of range: IPv6 needs 1280, and a TUN device takes 65535 at most")
        }
        var queues: [Int32] = []
        let count = max(1, options.queues)
        for _ in 0..<count {
            let (queue, step) = openQueue(options.name, shared: count > 1)
            guard queue >= 0 else {
                for open in queues { chy_close(open) }
                throw refused(options, step, -queue)
            }
            queues.append(queue)
        }
        let offload = setOffload(queues[0], options)
        let index = chy_link_index(options.name)
        let device = TunDevice(
            name: options.name, index: UInt32(clamping: index), tso: offload.tso, uso: offload.uso, queues: queues)
        // From here on the device closes its queues when an error leaves.
        guard index > 0 else { throw refused(options, "if_nametoindex", -index) }
        let lack = "the kernel refuses it for a TUN device"
        _ = try OffloadStatus.decide(options.tso, key: "tso", has: offload.tso.isOn, lack: lack)
        _ = try OffloadStatus.decide(options.uso, key: "uso", has: offload.uso.isOn, lack: lack)
        try device.configure(index, options)
        return device
    }

    /// What the kernel takes as a name, without its patterns ("tun%d").
    static func isName(_ name: String) -> Bool {
        let bytes = name.utf8
        return (1...15).contains(bytes.count) && name != "." && name != ".."
            && bytes.allSatisfy { $0 > 32 && $0 < 127 && !"/:%".utf8.contains($0) }
    }

    private static func openQueue(_ name: String, shared: Bool) -> (Int32, String) {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CHY_NAME_SIZE)) { room in
            room.initialize(repeating: 0)
            for (i, byte) in name.utf8.prefix(15).enumerated() { room[i] = CChar(bitPattern: byte) }
            var step: UnsafePointer<CChar>?
            let queue = chy_tun_open(room.baseAddress, shared ? 1 : 0, &step)
            return (queue, step.map { String(cString: $0) } ?? "open")
        }
    }

    private static func setOffload(
        _ queue: Int32, _ options: Options
    ) -> (tso: OffloadStatus.Feature, uso: OffloadStatus.Feature) {
        var wanted = CHY_TUN_CSUM
        if options.tso != .off {
            wanted |= CHY_TUN_TSO
            if options.uso != .off { wanted |= CHY_TUN_USO }
        }
        let set = chy_tun_offload(queue, wanted)
        let configured = "switched off by configuration"
        let tso: OffloadStatus.Feature =
            set & CHY_TUN_TSO != 0
            ? .on : .off(options.tso == .off ? configured : "the kernel refuses it for a TUN device")
        let uso: OffloadStatus.Feature =
            if set & CHY_TUN_USO != 0 {
                .on
            } else if options.uso == .off {
                .off(configured)
            } else if !tso.isOn {
                .off("needs tso")
            } else {
                .off("the kernel refuses it for a TUN device (Linux 6.2)")
            }
        return (tso, uso)
    }

    private func configure(_ index: Int32, _ options: Options) throws(RimError) {
        let address = options.address ?? IPv6Address(high: 0, low: 0)
        var step: UnsafePointer<CChar>?
        let code = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16) { bytes -> Int32 in
            if let start = bytes.baseAddress { address.store(to: start) }
            var link = chy_link(
                mtu: Int32(clamping: options.mtu), gso_max_size: Int32(clamping: options.gsoMaxSize),
                ip: options.address == nil ? nil : UnsafePointer(bytes.baseAddress),
                prefix_length: Int32(clamping: options.prefixLength))
            return chy_link_configure(index, &link, &step)
        }
        guard code < 0 else { return }
        let setting = step.map { String(cString: $0) } ?? "link"
        switch (setting, -code) {
        case ("address", EACCES):
            throw RimError(
                .system,
                "cannot give \(name) the address \(address): IPv6 is switched off on it; "
                    + "set sysctl net.ipv6.conf.default.disable_ipv6=0 (containers: --sysctl) and start again")
        case (_, EPERM):
            throw TunDevice.notPermitted("configure TUN device \(name) (\(setting))")
        case ("gso_max_size", _):
            throw RimError(
                .system,
                "TUN device \(name) refuses gso_max_size \(options.gsoMaxSize): \(RimError.text(-code))")
        default:
            throw RimError(.system, "cannot set \(setting) of TUN device \(name): \(RimError.text(-code))")
        }
    }

    private static func notPermitted(_ what: String) -> RimError {
        RimError(
            .permission,
            "cannot \(what): CAP_NET_ADMIN is missing; run as root, give it to the program "
                + "(setcap cap_net_admin+ep, AmbientCapabilities=CAP_NET_ADMIN), or start with --no-tun")
    }

    private static func refused(_ options: Options, _ step: String, _ code: Int32) -> RimError {
        switch (step, code) {
        case ("open", ENOENT), ("open", ENODEV), ("open", ENXIO):
            RimError(
                .system,
                "there is no /dev/net/tun: load the module (modprobe tun), give it to the container "
                    + "(--device /dev/net/tun), or start with --no-tun")
        case (_, EPERM), (_, EACCES):
            notPermitted("open TUN device \(options.name)")
        case (_, EBUSY):
            RimError(
                .nameInUse,
                "TUN device \(options.name) is in use by another program: stop that program or choose another name")
        case ("TUNSETIFF", EINVAL):
            RimError(
                .nameInUse,
                "\(options.name) exists and is no TUN device of this kind (other type, or another number of queues): "
                    + "remove it (ip link del \(options.name)) or choose another name")
        default:
            RimError(.system, "cannot open TUN device \(options.name): \(step): \(RimError.text(code))")
        }
    }
}
