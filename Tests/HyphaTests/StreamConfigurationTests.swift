import HyphaBase
import HyphaControl
import HyphaDataplane
import HyphaIdentity
import HyphaInterchange
import HyphaSession
import Testing

@testable import hypha

private let peer = "hl1://\(SampleKeys.a)@192.0.2.1:9651"
private let stock = "tcp://peer.example.net:9651"

/// What an operator says about TCP links, from file and flags to what the rooms are told.
@Suite struct StreamConfigurationTests {
    private func load(_ text: String, _ flags: [String] = []) throws -> Configuration {
        let request = try CommandLineParser.parse(flags)
        return try ConfigurationLoader.load(
            Array(text.utf8), file: "F", overrides: request.overrides, keyFile: "/default/key")
    }

    private func problems(_ text: String, _ flags: [String] = []) throws -> [String] {
        do {
            _ = try load(text, flags)
            return []
        } catch let failure as ConfigurationLoader.Failure {
            return failure.lines
        }
    }

    private func listen(_ text: String, _ flags: [String] = []) throws -> [String] {
        try load(text, flags).listen.map(\.description)
    }

    @Test func stockPeersStandEverywhere() throws {
        let more = "tcp://[fe80::1%eth0]:7"
        let third = "tcp://192.0.2.9:9651"
        let configuration = try load("peers = [\"\(stock)\"]\n[[peer]]\nuri = \"\(more)\"\nlabel = \"x\"")
        #expect(configuration.peers.map(\.uri.description) == [stock, more])
        #expect(configuration.peers.map(\.label) == ["", "x"])
        // As stock users write them: many behind one flag, the next flag ends them.
        let run = ProgramRun(["--peers", stock, third, peer, "--no-tun"])
        #expect(run.errors.isEmpty)
        #expect(run.started?.peers.map(\.uri.description) == [stock, third, peer])
        #expect(try load("peers = [\"\(stock)\"]", ["--peers", third]).peers.map(\.uri.description) == [third])
    }

    @Test func theDefaultIsBothTransports() throws {
        #expect(try listen("") == ["hl1://[::]:9651", "tcp://[::]:9651"])
        // What is listed is all there is.
        #expect(try listen("[[listen]]\nuri = \"hl1://[::]:9651\"") == ["hl1://[::]:9651"])
        #expect(try listen("[[listen]]\nuri = \"tcp://[::]:9651\"") == ["tcp://[::]:9651"])
        #expect(
            try listen("[[listen]]\nuri = \"tcp://[::]:1\"\n[[listen]]\nuri = \"tcp://0.0.0.0:2\"")
                == ["tcp://[::]:1", "tcp://0.0.0.0:2"])
        // The same address over both transports is not the same twice.
        #expect(
            try problems("[[listen]]\nuri = \"tcp://[::]:1\"\n[[listen]]\nuri = \"tcp://[::]:1\"")
                == ["F:3:1: listen.uri: tcp://[::]:1 is listed twice"])
    }

    @Test(arguments: ["-t", "--tcp-listen-port"]) func thePortFlagMovesTCP(flag: String) throws {
        #expect(try listen("", [flag, "9700"]) == ["hl1://[::]:9651", "tcp://[::]:9700"])
        #expect(try listen("", [flag, "0"]) == ["hl1://[::]:9651", "tcp://[::]:0"])
        let only = "[[listen]]\nuri = \"hl1://[::]:1\""
        #expect(try listen(only, [flag, "9700"]) == ["hl1://[::]:1", "tcp://[::]:9700"])
        let both = only + "\n[[listen]]\nuri = \"tcp://127.0.0.1:2\"\n[[listen]]\nuri = \"tcp://[::1]:2\""
        #expect(try listen(both, [flag, "9700"]) == ["hl1://[::]:1", "tcp://[::]:9700"])
        #expect(try listen("", [flag, "1", "--listen", "hl1://[::]:2"]) == ["hl1://[::]:2", "tcp://[::]:1"])
        #expect(try listen("", ["--listen", "tcp://[::]:2", flag, "1"]) == ["tcp://[::]:1"])
    }

    @Test func thePortKeyIsTheFlagInTheFile() throws {
        #expect(try listen("tcp_listen_port = 9700") == ["hl1://[::]:9651", "tcp://[::]:9700"])
        #expect(try listen("tcp_listen_port = 9700", ["-t", "9701"]) == ["hl1://[::]:9651", "tcp://[::]:9701"])
        // A flag that lists addresses beats all that the file says about listening.
        #expect(try listen("tcp_listen_port = 9700", ["--listen", "hl1://[::]:1"]) == ["hl1://[::]:1"])
    }

    @Test func noTCPAtAll() throws {
        let none = "[limits]\nmax_tcp_links = 0\n"
        #expect(try listen(none) == ["hl1://[::]:9651"])
        #expect(
            try problems(none + "[[listen]]\nuri = \"tcp://[::]:1\"")
                == ["F:3:1: listen.uri: limits.max_tcp_links = 0 allows no TCP, tcp://[::]:1 is to be listened on"])
        #expect(
            try problems("tcp_listen_port = 5\n" + none)
                == ["F:1:19: listen.uri: limits.max_tcp_links = 0 allows no TCP, tcp://[::]:5 is to be listened on"])
        #expect(
            try problems(none, ["-t", "5"]).map { $0.prefix(30) } == ["--tcp-listen-port: listen.uri:"])
        #expect(
            try problems("peers = [\"\(stock)\"]\n" + none)
                == ["F:1:10: peer.uri: limits.max_tcp_links allows 0 tcp:// peers, 1 are listed"])
    }

    @Test func whatConcernsSeveralKeysIsChecked() throws {
        #expect(
            try problems("peers = [\"\(stock)\",\n\"tcp://peer.example.net\"]")
                == ["F:2:1: peer.uri: the peer \(stock) is listed twice"])
        // Another port is another node, and so is a node that is known by its key.
        #expect(try problems("peers = [\"tcp://h:1\", \"tcp://h:2\", \"hl1://\(SampleKeys.a)@h:1\"]").isEmpty)
        #expect(
            try problems("peers = [\"tcp://h:1\",\n\"\(peer)\",\n\"tcp://h:2\"]\n[limits]\nmax_tcp_links = 1")
                == ["F:3:1: peer.uri: limits.max_tcp_links allows 1 tcp:// peers, 2 are listed"])
        // Each kind has a limit of its own.
        #expect(try problems("peers = [\"tcp://h:1\", \"\(peer)\", \"tcp://h:2\"]\n[limits]\nmax_peers = 1").isEmpty)
        #expect(
            try problems("[[peer]]\nuri = \"\(stock)\"\nseal = \"full\"")
                == ["F:1:1: peer.seal: is for hl1:// links, nothing seals a tcp:// link"])
        #expect(
            try problems("peers = [\"\(peer)\"]\n[[listen]]\nuri = \"tcp://[::]:1\"")
                == ["F:1:10: peer.uri: hl1:// peers need a UDP socket: listen on hl1://[::]:0 as well"])
        #expect(try problems("peers = [\"\(stock)\"]\n[[listen]]\nuri = \"tcp://[::]:1\"").isEmpty)
    }

    /// Link ids are below 65,536 with the largest limits that a file can set.
    @Test func linksOfBothKindsHaveNumbers() throws {
        var configuration = try load("[limits]\nmax_peers = 16384\nmax_tcp_links = 16384\n")
        let key = try #require(PublicKey(hex: SampleKeys.a))
        let hypha = Configuration.Peer(uri: try PeerURI(parsing: "hl1://\(key.hex)@h"))
        configuration.peers = Array(repeating: hypha, count: 16_384)
        let links = Node.linkNumbering(configuration)
        #expect(links.firstStream == 32_768)
        #expect(links.streams == 16_384)
        #expect(links.count <= 65_535)
        // A tcp:// peer takes no place of an HL1 link.
        configuration.peers = [hypha, Configuration.Peer(uri: try PeerURI(parsing: stock))]
        #expect(Node.linkNumbering(configuration).firstStream == 16_385)
    }

    @Test func roomsAreToldWhatWasChosen() throws {
        let configuration = try load(
            "peers = [\"\(stock)\", \"\(peer)\"]\n[[peer]]\nuri = \"tcp://192.0.2.7:5\"\nlabel = \"x\"\n"
                + "[crypto]\nsession = \"classic\"\nearly = \"legacy\"\n[limits]\nmax_tcp_links = 9\ntcp_queue = 1024")
        let links = Node.linkNumbering(configuration)
        let control = Node.controlConfiguration(configuration, links, suites: 1, [], nil)
        #expect(control.peers.map(\.host) == ["192.0.2.1"])
        #expect(control.streamPeers.map(\.host) == ["peer.example.net", "192.0.2.7"])
        #expect(control.streamPeers.map(\.port) == [9651, 5])
        #expect(control.streamPeers.map(\.label) == ["", "x"])
        #expect(control.links == links)
        #expect(control.session == .classic)

        let identity = try #require(NodeIdentity(secret: [UInt8](repeating: 7, count: 32)))
        let other = try #require(NodeIdentity(secret: [UInt8](repeating: 9, count: 32)))
        let aead = try #require(OpaquePointer(bitPattern: 8))
        let worker = Node.workerConfiguration(configuration, links, identity, aead: aead)
        #expect(worker.links == links)
        #expect(worker.maxStreams == 9 && worker.streamQueueSlots == 1_024)
        #expect(worker.stock.session == .classic && worker.stock.early == .legacy)
        // Random, and not the same for both: a value of zero would be one in 2^64.
        #expect(Set([0, worker.stock.noncePrefix, worker.stock.hashKey]).count == 3)
        let again = Node.workerConfiguration(configuration, links, identity, aead: aead)
        #expect(again.stock.noncePrefix != worker.stock.noncePrefix && again.stock.hashKey != worker.stock.hashKey)
        // Both ends of an agreement come to the same secret.
        let theirs = Node.workerConfiguration(configuration, links, other, aead: aead)
        var a = [UInt8](repeating: 0, count: 32)
        var b = a
        #expect(worker.stock.agree(other.publicKey.bytes, &a))
        #expect(theirs.stock.agree(identity.publicKey.bytes, &b))
        #expect(a == b && Set(a).count > 8)
        #expect(!worker.stock.agree([UInt8](repeating: 0, count: 32), &a))
    }

    @Test func memoryFollowsTheLimits() throws {
        let standard = StreamBudget(Configuration.Limits())
        #expect(standard.slots == 16_384 + 3 * 4_096 + 256)
        #expect(standard.slabs > 0)
        let none = StreamBudget(Configuration.Limits(maxTCPLinks: 0))
        #expect(none.slots == 0 && none.slabs == 0)
        let small = StreamBudget(Configuration.Limits(maxTCPLinks: 2, tcpQueue: 1024))
        #expect(small.slots == 1_030 + 256)
    }

    @Test func openFilesSuffice() {
        let limit = OpenFileLimit.raise()
        #expect(limit >= 64)
        #expect(OpenFileLimit.raise() == limit)
        #expect(OpenFileLimit.warning(limit: 4_162, links: 4_096, sockets: 2) == nil)
        let warning = OpenFileLimit.warning(limit: 4_161, links: 4_096, sockets: 2) ?? ""
        for word in ["4161", "4096", "4162", "ulimit", "limits.max_tcp_links"] { #expect(warning.contains(word)) }
    }
}
