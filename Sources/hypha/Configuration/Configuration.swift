internal import HyphaIdentity

/// Everything an operator can choose, complete and checked. Each property starts with its default;
/// `ConfigurationKeys` names the key, range and meaning of each.
struct Configuration: Equatable, Sendable {
    struct Node: Equatable, Sendable {
        var keyFile = DefaultPaths.systemKeyFile
        /// Empty: beside the key file, with ".state" behind its name.
        var stateFile = ""
        var name = ""
    }

    struct Tun: Equatable, Sendable {
        var enabled = true
        var name = "hypha0"
        /// Bytes of the largest packet inside the overlay.
        var mtu = 1400
        var offload = Feature.auto
    }

    /// A peer to keep a link with.
    struct Peer: Equatable, Sendable {
        var uri: PeerURI
        var label = ""
        /// Nil: as `Crypto.seal` says.
        var seal: Seal?
    }

    /// A fixed route: packets for the node with `key` leave through the peer with key `via`.
    struct FixedRoute: Equatable, Sendable {
        var key: PublicKey
        var via: PublicKey
    }

    /// How packets are sealed on a link.
    enum Seal: String, CaseIterable, Sendable {
        case full, header
    }

    enum Suites: String, CaseIterable, Sendable {
        case auto
        case chaCha20Poly1305 = "chacha20-poly1305"
        case aes256GCM = "aes-256-gcm"
    }

    enum Provider: String, CaseIterable, Sendable {
        case auto
        case ipsecMB = "ipsec-mb"
        case libcrypto, libsodium
    }

    /// A kernel feature: use it when it works, always, or never.
    enum Feature: String, CaseIterable, Sendable {
        case auto, on, off
    }

    /// Nodes of the local network that find each other by multicast.
    struct Discovery: Equatable, Sendable {
        var enabled = true
        /// UDP port, the same on all nodes of the network.
        var port = 9650
        /// Names without repetitions; empty: all suitable interfaces.
        var interfaces: [String] = []
    }

    struct Routing: Equatable, Sendable {
        /// Whether routes of other nodes are passed on.
        var transit = true
    }

    /// Which end-to-end protocol is spoken with other nodes: ours where they can, the stock one, or ours only.
    enum Session: String, CaseIterable, Sendable {
        case auto, classic, require
    }

    /// What becomes of packets for a node that speaks our protocol, until there is a session with it.
    enum Early: String, CaseIterable, Sendable {
        case queue, legacy
    }

    struct Crypto: Equatable, Sendable {
        var session = Session.auto
        var early = Early.queue
        var seal = Seal.full
        var suites = Suites.auto
        var provider = Provider.auto
    }

    struct Limits: Equatable, Sendable {
        /// Links over HL1; a configured peer always has one.
        var maxPeers = 4096
        /// Links over TCP; 0: there is no TCP at all.
        var maxTCPLinks = 4096
        var sessions = 16384
        var parkedPackets = 1024
        /// Slots of 2 KiB for what waits to be written to TCP links, all of them together.
        var tcpQueue = 16384
        /// Receive and send buffers of a worker, 65.5 KiB each.
        var slabs = 62
    }

    struct Tuning: Equatable, Sendable {
        /// 0: chosen by the program.
        var workers = 0
        var pin = true
        var cpus = CPUList()
        var udpGSO = Feature.auto
        var udpGRO = Feature.auto
        var socketBuffer = ByteSize(bytes: 4 << 20)
    }

    struct Logging: Equatable, Sendable {
        var level = LogLevel.info
        var format = LogFormat.text
    }

    var node = Node()
    var tun = Tun()
    /// Never empty. Of `tcp://` none when there is no TCP, of `hl1://` one at least when a peer is reached over HL1.
    var listen = [ListenURI.everywhere(.hl1), .everywhere(.tcp)]
    /// No two with the same key or the same TCP address; of each kind at most as many as `limits` allows links.
    var peers: [Peer] = []
    /// No two with the same key; each `via` is the key of one of `peers`.
    var routes: [FixedRoute] = []
    var discovery = Discovery()
    var routing = Routing()
    var crypto = Crypto()
    var limits = Limits()
    var tuning = Tuning()
    var log = Logging()
}
