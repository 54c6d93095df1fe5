/// Every key of the configuration file. Reading, flags, help, suggestions and the check of config/hypha.toml use this
/// table, and nothing else knows a key's name, range or default.
enum ConfigurationKeys {
    static let all: [ConfigurationKey] = [
        .integer(
            .top, "config_version", \.version, 1...1, note: "the only version there is",
            "Version of this format."),
        .list(
            .top, "peers",
            "Peers as a plain list of URIs, beside the [[peer]] tables.",
            empty: { $0.removePeers() },
            add: { text, draft throws(InvalidValue) in
                draft.add(Configuration.Peer(uri: try PeerURI(parsing: text)), origin: draft.origin)
            }),
        .openInteger(
            .top, "tcp_listen_port", 0...65535, example: Int(LinkURI.defaultPort),
            "TCP port to listen on at all addresses, in place of every tcp:// address in [[listen]]; 0: any free port."
        ) { port, draft in
            draft.tcpListenPort = Placed(value: UInt16(clamping: port), origin: draft.origin)
        },

        .parsed(
            .node, "key_file", \.configuration.node.keyFile,
            "The secret key, 32 bytes, made at the first start. For an ordinary user: ~/.local/share/hypha/priv_key.bin.",
            parse: path),
        .parsed(
            .node, "state_file", \.configuration.node.stateFile,
            "What the node must find again after a restart, made at the first start. Empty: the key file's path with .state.",
            parse: pathOrNone),
        .parsed(
            .node, "name", \.configuration.node.name,
            "Name of this node in logs and status, up to 63 bytes; it is not sent to anyone.", parse: label),

        .boolean(
            .tun, "enabled", \.configuration.tun.enabled,
            "Create a TUN interface. Without one the node only passes on packets of others."),
        .parsed(
            .tun, "name", \.configuration.tun.name,
            "Name of the TUN interface, up to 15 bytes.", parse: interfaceName),
        .integer(
            .tun, "mtu", \.configuration.tun.mtu, 1280...9000,
            "Largest packet of the TUN interface in bytes, 1280 to 9000."),
        .choice(
            .tun, "offload", \.configuration.tun.offload,
            "Take large segments from the TUN interface and cut them here: auto, on or off."),

        .required(
            .listen, "uri", \.listenEntry, example: ListenURI.everywhere(.hl1).description,
            "A UDP address (hl1://) or TCP address (tcp://). Without any table: hl1://[::]:9651 and tcp://[::]:9651.",
            parse: { text throws(InvalidValue) in try ListenURI(parsing: text) }),

        .required(
            .peer, "uri", \.peerEntry.uri,
            example: "hl1://1b2c3d4e5f60718293a4b5c6d7e8f9000112233445566778899aabbccddeeff0@peer.example.net:9651",
            "Key and address of a peer, or tcp://host:port of a stock one; host names will do, IPv6 stands in brackets.",
            parse: { text throws(InvalidValue) in try PeerURI(parsing: text) }),
        .parsed(
            .peer, "label", \.peerEntry.label,
            "Name of the peer in logs and status, up to 63 bytes.", parse: label),
        .openChoice(
            .peer, "seal", \.peerEntry.seal, example: .full,
            "How packets leave for this peer: full also for what arrived header-sealed, header for what enters here; else see crypto."
        ),

        .required(
            .route, "key", \.routeEntry.key,
            example: "aa11bb22cc33dd44ee55ff66001122334455667788990011223344556677889a",
            "Key of the destination node, 64 hex digits.", parse: PeerURI.key),
        .required(
            .route, "via", \.routeEntry.via,
            example: "1b2c3d4e5f60718293a4b5c6d7e8f9000112233445566778899aabbccddeeff0",
            "Key of the configured peer to send through, 64 hex digits.", parse: PeerURI.key),

        .boolean(
            .discovery, "enabled", \.configuration.discovery.enabled,
            "Find nodes of the local network, and be found, by beacons that go out once a minute."),
        .integer(
            .discovery, "port", \.configuration.discovery.port, 1...65535,
            "UDP port of the beacons, the same on all nodes of the network, 1 to 65535."),
        .list(
            .discovery, "interfaces",
            "Names of the interfaces to find nodes on, up to 15 bytes each; empty: all that are suitable.",
            empty: { $0.configuration.discovery.interfaces.removeAll() },
            add: { text, draft throws(InvalidValue) in
                try addInterface(try interfaceName(text), to: &draft)
            }),

        .boolean(
            .routing, "transit", \.configuration.routing.transit,
            "Pass on the routes of other nodes, and so their packets. A leaf with two peers may want false."),

        .choice(
            .crypto, "session", \.configuration.crypto.session,
            "End-to-end sessions: auto (forward secret with hypha nodes, else as stock nodes do), classic (stock) or require."
        ),
        .choice(
            .crypto, "early", \.configuration.crypto.early,
            "Packets for a hypha node before there is a session: queue (they wait, 250 ms) or legacy (they go as to a stock node)."
        ),
        .choice(
            .crypto, "seal", \.configuration.crypto.seal,
            "How packets that enter the overlay here are sealed on links: full, or header. Relays keep the way a packet came."
        ),
        .choice(
            .crypto, "suites", \.configuration.crypto.suites,
            "Cipher suites to offer: auto, chacha20-poly1305 or aes-256-gcm."),
        .choice(
            .crypto, "provider", \.configuration.crypto.provider,
            "Library that seals packets: auto (the fastest here), ipsec-mb, libcrypto or libsodium."),

        .integer(
            .limits, "max_peers", \.configuration.limits.maxPeers, 1...16384,
            "HL1 links at one time, 1 to 16384; further nodes are refused."),
        .integer(
            .limits, "max_tcp_links", \.configuration.limits.maxTCPLinks, 0...16384,
            "TCP links at one time, 0 to 16384; further connections are reset. 0: no TCP, neither listening nor dialling."
        ),
        .integer(
            .limits, "sessions", \.configuration.limits.sessions, 1...65536,
            "End-to-end sessions at one time, 1 to 65536."),
        .integer(
            .limits, "parked_packets", \.configuration.limits.parkedPackets, 16...16384,
            "Packets that wait for a session or a route, 16 to 16384; further ones are dropped."),
        .integer(
            .limits, "tcp_queue", \.configuration.limits.tcpQueue, 1024...131072,
            "Packets that wait for all TCP links, 1024 to 131072, half for one at most; of the fullest the oldest go."),
        .integer(
            .limits, "slabs", \.configuration.limits.slabs, 40...1024,
            "Packet buffers of 65.5 KiB each, 40 to 1024."),

        .integer(
            .tuning, "workers", \.configuration.tuning.workers, 0...1, note: "this version has one worker",
            "Forwarding threads: 0 (chosen by hypha) or 1."),
        .boolean(
            .tuning, "pin", \.configuration.tuning.pin,
            "Keep each forwarding thread on one CPU."),
        .parsed(
            .tuning, "cpus", \.configuration.tuning.cpus,
            "CPUs for forwarding threads, for example 0-3,8; empty: any.", parse: cpuList),
        .choice(
            .tuning, "udp_gso", \.configuration.tuning.udpGSO,
            "Send many datagrams with one call (UDP GSO): auto, on or off."),
        .choice(
            .tuning, "udp_gro", \.configuration.tuning.udpGRO,
            "Receive many datagrams with one call (UDP GRO): auto, on or off."),
        .parsed(
            .tuning, "socket_buffer", \.configuration.tuning.socketBuffer,
            "Send and receive buffer of each UDP socket, 64K to 1G.", parse: socketBuffer),

        .choice(
            .log, "level", \.configuration.log.level,
            "Least important lines to log: error, warning, info or debug."),
        .choice(
            .log, "format", \.configuration.log.format,
            "Shape of log lines: text or json."),
    ]

    /// Interfaces that can be named at most.
    static let interfacesMax = 64

    /// The key with this path ("tun.mtu"), nil when there is none.
    static func find(_ path: String) -> ConfigurationKey? { all.first { $0.path == path } }

    static func keys(of section: ConfigurationSection) -> [ConfigurationKey] { all.filter { $0.section == section } }

    @Sendable private static func path(_ text: String) throws(InvalidValue) -> String {
        guard !text.isEmpty, text.utf8.count < 4096, !text.utf8.contains(0) else {
            throw InvalidValue("must be a path, not \(PrintableText.quote(text))")
        }
        return text
    }

    @Sendable private static func pathOrNone(_ text: String) throws(InvalidValue) -> String {
        text.isEmpty ? text : try path(text)
    }

    @Sendable private static func label(_ text: String) throws(InvalidValue) -> String {
        guard text.utf8.count <= 63, PrintableText.escape(text) == text else {
            throw InvalidValue("must be at most 63 bytes of printable text, not \(PrintableText.quote(text))")
        }
        return text
    }

    /// What the kernel takes as an interface name; % would make it a pattern.
    @Sendable private static func interfaceName(_ text: String) throws(InvalidValue) -> String {
        guard (1...15).contains(text.utf8.count), text != ".", text != "..",
            text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x2F && $0 != 0x3A && $0 != 0x25 })
        else {
            throw InvalidValue(
                "must be 1 to 15 characters of ASCII without blanks, / : and %, not \(PrintableText.quote(text))")
        }
        return text
    }

    /// A name that is listed twice counts once.
    @Sendable private static func addInterface(
        _ name: String, to draft: inout ConfigurationDraft
    ) throws(InvalidValue) {
        guard !draft.configuration.discovery.interfaces.contains(name) else { return }
        guard draft.configuration.discovery.interfaces.count < interfacesMax else {
            throw InvalidValue("must be at most \(interfacesMax) names")
        }
        draft.configuration.discovery.interfaces.append(name)
    }

    @Sendable private static func cpuList(_ text: String) throws(InvalidValue) -> CPUList {
        guard let list = CPUList(text) else {
            throw InvalidValue(
                "must be CPU numbers below \(CPUList.limit) as in \"0-3,8\", not \(PrintableText.quote(text))")
        }
        return list
    }

    @Sendable private static func socketBuffer(_ text: String) throws(InvalidValue) -> ByteSize {
        guard let size = ByteSize(text), (64 << 10...1 << 30).contains(size.bytes) else {
            throw InvalidValue(
                "must be a size from 64K to 1G, digits with K, M or G, not \(PrintableText.quote(text))")
        }
        return size
    }
}
