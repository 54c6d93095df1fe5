import HyphaBase
import HyphaIdentity
import Testing

@testable import hypha

private let peerA = "hl1://\(SampleKeys.a)@192.0.2.1:9651"
private let peerB = "hl1://\(SampleKeys.b)@192.0.2.2:9651"
private let stock = "tcp://peer.example.net:9651"

private func load(_ text: String, flags: [String] = []) throws -> Configuration {
    let request = try CommandLineParser.parse(flags)
    return try ConfigurationLoader.load(
        Array(text.utf8), file: "F", overrides: request.overrides, keyFile: "/default/key")
}

/// What is wrong with a file, line by line; empty when nothing is.
private func problems(_ text: String, flags: [String] = []) throws -> [String] {
    do {
        _ = try load(text, flags: flags)
        return []
    } catch let failure as ConfigurationLoader.Failure {
        return failure.lines
    }
}

/// A file that sets one key, with what a repeated table needs beside it. The key stands on the second line.
private func file(setting key: ConfigurationKey, to value: String) -> String {
    let header = key.section == .top ? "# top" : key.section.header
    let others = ConfigurationKeys.keys(of: key.section).filter { $0.isRequired && $0.path != key.path }
    return ([header, "\(key.name) = \(value)"] + others.map { "\($0.name) = \($0.example)" }).joined(separator: "\n")
}

@Test func anEmptyFileIsTheDefaults() throws {
    var expected = Configuration()
    expected.node.keyFile = "/default/key"
    #expect(try load("") == expected)
    #expect(expected.listen.map(\.description) == ["hl1://[::]:9651", "tcp://[::]:9651"])
    #expect(expected.crypto.session == .auto && expected.crypto.early == .queue)
    #expect(expected.limits.maxTCPLinks == 4096 && expected.limits.tcpQueue == 16384)
    #expect(expected.tun.enabled && expected.tun.name == "hypha0" && expected.tun.mtu == 1400)
    #expect(expected.limits.slabs == 62 && expected.limits.sessions == 16384 && expected.limits.maxPeers == 4096)
    #expect(expected.tuning.socketBuffer.bytes == 4_194_304)
}

@Test func everyKeyReachesItsField() throws {
    let configuration = try load(
        """
        config_version = 1
        peers = ["\(peerA)", "\(stock)"]
        tcp_listen_port = 7
        [node]
        key_file = "/k"
        name = "fra1"
        [tun]
        enabled = false
        name = "over0"
        mtu = 1280
        offload = "off"
        [[listen]]
        uri = "udp://0.0.0.0:1"
        [[listen]]
        uri = "hl1://[::1]:2"
        [[peer]]
        uri = "\(peerB)"
        label = "friends"
        seal = "header"
        [[peer]]
        uri = "tcp://[2001:db8::1]:3"
        label = "stock"
        [[route]]
        key = "\(SampleKeys.c)"
        via = "\(SampleKeys.b)"
        [discovery]
        enabled = false
        port = 9702
        interfaces = ["eth0", "wlan0", "eth0"]
        [crypto]
        session = "require"
        early = "legacy"
        seal = "header"
        suites = "aes-256-gcm"
        provider = "ipsec-mb"
        [limits]
        max_peers = 2
        max_tcp_links = 5
        sessions = 3
        parked_packets = 17
        tcp_queue = 1025
        slabs = 41
        [tuning]
        workers = 1
        pin = false
        cpus = "3,0-1"
        udp_gso = "on"
        udp_gro = "off"
        socket_buffer = "64K"
        [log]
        level = "debug"
        format = "json"
        """)
    #expect(configuration.node == Configuration.Node(keyFile: "/k", name: "fra1"))
    #expect(configuration.tun == Configuration.Tun(enabled: false, name: "over0", mtu: 1280, offload: .off))
    #expect(configuration.listen.map(\.description) == ["hl1://0.0.0.0:1", "hl1://[::1]:2", "tcp://[::]:7"])
    #expect(configuration.peers.map(\.uri.description) == [peerA, stock, peerB, "tcp://[2001:db8::1]:3"])
    #expect(configuration.peers.map(\.label) == ["", "", "friends", "stock"])
    #expect(configuration.peers.map(\.seal) == [nil, nil, .header, nil])
    #expect(configuration.routes.map(\.key.hex) == [SampleKeys.c])
    #expect(configuration.routes.map(\.via.hex) == [SampleKeys.b])
    #expect(
        configuration.discovery
            == Configuration.Discovery(enabled: false, port: 9702, interfaces: ["eth0", "wlan0"]))
    #expect(
        configuration.crypto
            == Configuration.Crypto(
                session: .require, early: .legacy, seal: .header, suites: .aes256GCM, provider: .ipsecMB))
    #expect(
        configuration.limits
            == Configuration.Limits(
                maxPeers: 2, maxTCPLinks: 5, sessions: 3, parkedPackets: 17, tcpQueue: 1025, slabs: 41))
    #expect(configuration.tuning.workers == 1 && !configuration.tuning.pin)
    #expect(configuration.tuning.cpus.cpus == [0, 1, 3])
    #expect(configuration.tuning.udpGSO == .on && configuration.tuning.udpGRO == .off)
    #expect(configuration.tuning.socketBuffer.bytes == 65536)
    #expect(configuration.log == Configuration.Logging(level: .debug, format: .json))
}

@Test func everyKeyRefusesOtherTypesWithItsPlace() throws {
    for key in ConfigurationKeys.all {
        var wrong = ["1979-05-27", "1.5", "{ a = 1 }", "{}"]
        if key.kind != .boolean { wrong.append("true") }
        if key.kind != .integer { wrong += ["1", "0"] }
        wrong += key.isList ? ["\"text\"", "[[]]", "[1]"] : ["[]", "[\"a\"]"]
        if key.kind != .text { wrong += ["\"\"", "\"1\"", "\"true\""] }
        for value in wrong {
            let lines = try problems(file(setting: key, to: value))
            let line = try #require(lines.first, "\(key.path) = \(value)")
            // A member of a list has a place of its own.
            let column = key.name.count + 4 + (value == "[[]]" || value == "[1]" ? 1 : 0)
            #expect(lines.count == 1, "\(lines)")
            #expect(line.hasPrefix("F:2:\(column): \(key.path): must be "), "\(value): \(line)")
        }
    }
}

@Test(arguments: [
    ("config_version", 1, 1), ("tun.mtu", 1280, 9000), ("limits.max_peers", 1, 16384), ("limits.sessions", 1, 65536),
    ("limits.parked_packets", 16, 16384), ("limits.slabs", 40, 1024), ("tuning.workers", 0, 1),
    ("discovery.port", 1, 65535),
    ("tcp_listen_port", 0, 65535), ("limits.max_tcp_links", 0, 16384), ("limits.tcp_queue", 1024, 131072),
])
func integersHaveRanges(path: String, low: Int, high: Int) throws {
    let key = try #require(ConfigurationKeys.find(path))
    for value in [low, high] { #expect(try problems(file(setting: key, to: "\(value)")).isEmpty) }
    for value in [low - 1, high + 1, -1, Int(Int64.max), Int(Int64.min)] {
        let lines = try problems(file(setting: key, to: "\(value)"))
        #expect(lines.count == 1 && lines[0].hasPrefix("F:2:\(key.name.count + 4): \(path): must be "), "\(lines)")
        #expect(lines.allSatisfy { $0.contains(", not \(value)") })
    }
}

@Test func theTableOfRangesAboveIsComplete() {
    let integers = ConfigurationKeys.all.filter { $0.kind == .integer }.map(\.path)
    #expect(integers.count == 11)
}

@Test(arguments: [
    ("tun.offload", ["auto", "on", "off"]), ("crypto.session", ["auto", "classic", "require"]),
    ("crypto.early", ["queue", "legacy"]), ("crypto.seal", ["full", "header"]), ("peer.seal", ["full", "header"]),
    ("crypto.suites", ["auto", "chacha20-poly1305", "aes-256-gcm"]),
    ("crypto.provider", ["auto", "ipsec-mb", "libcrypto", "libsodium"]), ("tuning.udp_gso", ["auto", "on", "off"]),
    ("tuning.udp_gro", ["auto", "on", "off"]), ("log.level", ["error", "warning", "info", "debug"]),
    ("log.format", ["text", "json"]),
])
func choicesTakeTheirWordsOnly(path: String, words: [String]) throws {
    let key = try #require(ConfigurationKeys.find(path))
    for word in words { #expect(try problems(file(setting: key, to: "\"\(word)\"")).isEmpty) }
    for word in ["", "adaptive", words[0].uppercased(), words[0] + " "] {
        let lines = try problems(file(setting: key, to: "\"\(word)\""))
        #expect(lines.count == 1 && lines[0].hasPrefix("F:2:"), "\(lines)")
        #expect(words.allSatisfy { lines[0].contains("\"\($0)\"") })
    }
}

@Test(arguments: [
    ("node.key_file", ["/a", "a b", "é"], ["", "a\\u0000b"]),
    ("node.name", ["", "fra1", String(repeating: "x", count: 63)], ["a\\nb", String(repeating: "x", count: 64)]),
    ("peer.label", ["", "é ü"], ["\\u202e", String(repeating: "é", count: 32)]),
    (
        "tun.name", ["a", "hypha-0.x_1", "123456789012345"],
        ["", ".", "..", "a/b", "a b", "a:b", "tun%d", "1234567890123456"]
    ),
    ("tuning.cpus", ["", "0", "1023", "0-3,8,9-9"], [",", "0,", "-1", "3-1", "1024", "1-2-3", "a", "0 - 1", "+1"]),
    (
        "tuning.socket_buffer", ["64K", "65536", "4m", "1G", "1024M"],
        ["", "K", "63K", "65535", "2G", "4 M", "4MB", "-1", "1.5M"]
    ),
])
func textsHaveRules(path: String, good: [String], bad: [String]) throws {
    let key = try #require(ConfigurationKeys.find(path))
    for value in good { #expect(try problems(file(setting: key, to: "\"\(value)\"")).isEmpty, "\(value)") }
    for value in bad {
        let lines = try problems(file(setting: key, to: "\"\(value)\""))
        #expect(lines.count == 1, "\(value): \(lines)")
        #expect(lines.allSatisfy { $0.hasPrefix("F:2:\(key.name.count + 4): \(path): must be ") }, "\(lines)")
    }
}

@Test func interfacesOfDiscoveryAreNames() throws {
    #expect(try load("").discovery == Configuration.Discovery())
    #expect(Configuration.Discovery().enabled && Configuration.Discovery().port == 9650)
    let good = ["a", "eth0.100", "123456789012345"]
    #expect(try load("[discovery]\ninterfaces = \(good)").discovery.interfaces == good)
    for name in ["", ".", "..", "a/b", "a b", "eth%d", "1234567890123456"] {
        let lines = try problems("[discovery]\ninterfaces = [\"eth0\", \"\(name)\"]")
        #expect(lines.count == 1, "\(lines)")
        #expect(lines.allSatisfy { $0.hasPrefix("F:2:23: discovery.interfaces: must be 1 to 15 characters") })
    }
    let most = (0..<ConfigurationKeys.interfacesMax).map { "eth\($0)" }
    #expect(try load("[discovery]\ninterfaces = \(most + most)").discovery.interfaces == most)
    let tooMany = try problems("[discovery]\ninterfaces = \(most + ["eth99"])")
    #expect(tooMany.count == 1 && tooMany[0].contains("discovery.interfaces: must be at most 64 names"), "\(tooMany)")
    // A wrong name leaves the other tables alone.
    let route = "[[route]]\nkey = \"\(SampleKeys.c)\"\nvia = \"\(SampleKeys.b)\"\n"
    #expect(try problems(route + "[discovery]\ninterfaces = [\"a b\"]").count == 2)
}

@Test func flagsOfDiscoveryBeatTheFile() throws {
    let text = """
        peers = ["\(peerA)"]
        [discovery]
        enabled = true
        port = 1
        interfaces = ["eth0", "eth1"]
        """
    #expect(try load(text, flags: ["--disable-peer-discovery"]).discovery.enabled == false)
    #expect(try load(text, flags: ["--peer-discovery-port", "9650"]).discovery.port == 9650)
    let flags = ["--peer-discovery-interface", "wlan0", "--peer-discovery-interface=eth1"]
    let named = try load(text, flags: flags)
    #expect(named.discovery == Configuration.Discovery(enabled: true, port: 1, interfaces: ["wlan0", "eth1"]))
    // One list leaves the other as it is.
    #expect(named.peers.map(\.uri.description) == [peerA])
    #expect(try load(text, flags: ["--peers", peerB]).discovery.interfaces == ["eth0", "eth1"])
    #expect(try load(text, flags: ["--peers", peerB]).peers.map(\.uri.description) == [peerB])
}

@Test func keysOfRoutesAreHex() throws {
    for name in ["key", "via"] {
        let key = try #require(ConfigurationKeys.find("route.\(name)"))
        for value in ["", "aa", SampleKeys.a + "00", String(SampleKeys.a.dropLast()) + "x"] {
            let lines = try problems("peers = [\"\(peerA)\"]\n" + file(setting: key, to: "\"\(value)\""))
            #expect(
                lines.contains { $0.hasPrefix("F:3:7: route.\(name): must have a key of 64 hex digits") }, "\(lines)")
        }
    }
}

@Test(arguments: [
    ("[tun]\nmtv = 1400", "F:2:1: unknown key \"mtv\" in [tun] (did you mean \"mtu\"?)"),
    ("[tun]\nenabeld = true", "F:2:1: unknown key \"enabeld\" in [tun] (did you mean \"enabled\"?)"),
    (
        "[limits]\nparkedpackets = 5",
        "F:2:1: unknown key \"parkedpackets\" in [limits] (did you mean \"parked_packets\"?)"
    ),
    ("mtu = 1400", "F:1:1: unknown key \"mtu\", it stands in [tun]"),
    ("[tun]\nseal = \"full\"", "F:2:1: unknown key \"seal\" in [tun], it stands in [[peer]] or in [crypto]"),
    ("[node]\npeers = []", "F:2:1: unknown key \"peers\" in [node], it stands in front of the first table"),
    ("[tuning]\nbusy_poll_us = 0", "F:2:1: unknown key \"busy_poll_us\" in [tuning]"),
    ("[nodes]\nname = \"x\"", "F:1:2: unknown table \"nodes\" (did you mean \"node\"?)"),
    ("[[peers]]\nuri = \"x\"", "F:1:1: peers: must be a string, not a table"),
    ("peer.uri = \"\(peerA)\"", "F:1:1: peer: must be a list of tables, written [[peer]]"),
    ("[listen]\nuri = \"hl1://[::]:1\"", "F:1:2: listen: must be a list of tables, written [[listen]]"),
    ("[[tun]]\nmtu = 1400", "F:1:3: tun: must be one table, written [tun]"),
    ("tun = 5", "F:1:1: tun: must be one table, written [tun]"),
    ("peer = [5]", "F:1:9: peer: must be a list of tables, written [[peer]]"),
    ("[[peer]]\nlabel = \"x\"", "F:1:1: peer.uri: is missing in this [[peer]]"),
    ("[[listen]]", "F:1:1: listen.uri: is missing in this [[listen]]"),
    ("[tun]\n[tun]", "F:2:1: not TOML: table header: cannot redefine existing table 'tun'"),
    ("[tun]\nmtu = 1400\nmtu = 1400", "F:3:7: not TOML: key-value pair: cannot redefine existing integer 'mtu'"),
    ("[tun]\nmtu 1400", "F:2:5: not TOML: key-value pair: expected '=', saw '1'"),
    (
        "[[listen]]\nuri = \"quic://[::]:9651\"",
        "F:2:7: listen.uri: this version has no quic links, only hl1:// and tcp://"
    ),
    (
        "peers = [\"tcp://host\", \"tcp://x@host\"]",
        "F:1:24: peers: takes no key: nobody proves a key on a tcp:// link (a hypha peer has hl1://KEY@host:port as well)"
    ),
    ("[[peer]]\nuri = \"tcp://[::1\"", "F:2:7: peer.uri: has no ] after the IPv6 address, \"tcp://[::1\""),
    ("[crypto]\nsesion = \"auto\"", "F:2:1: unknown key \"sesion\" in [crypto] (did you mean \"session\"?)"),
    (
        "[limits]\ntcp_listen_port = 1",
        "F:2:1: unknown key \"tcp_listen_port\" in [limits], it stands in front of the first table"
    ),
    ("\"a\\nb\" = 1", "F:1:1: unknown key \"a\\u{a}b\""),
])
func mistakesAreNamedWithPlaceAndSuggestion(text: String, line: String) throws {
    #expect(try problems(text) == [line])
}

@Test func everyMistakeIsReportedInOrderUpToALimit() throws {
    #expect(
        try problems("colour = 1\nmtu = 1\n[log]\nlevel = 5\n[tun]\nmtu = 1\n").map { $0.prefix(6) }
            == ["F:1:1:", "F:2:1:", "F:4:9:", "F:6:7:"])
    let many = (0..<30).map { "wrong\($0) = 1" }.joined(separator: "\n")
    let lines = try problems(many)
    #expect(lines.count == 21)
    #expect(lines.last == "F: and 10 more")
    #expect(try problems((0..<20).map { "wrong\($0) = 1" }.joined(separator: "\n")).count == 20)
}

@Test func whatConcernsSeveralKeysIsChecked() throws {
    #expect(
        try problems("peers = [\"\(peerA)\",\n\"hl1://host?key=\(SampleKeys.a)\"]")
            == ["F:2:1: peer.uri: the peer \(SampleKeys.a) is listed twice"])
    #expect(
        try problems("peers = [\"\(peerA)\"]\n[[peer]]\nuri = \"\(peerA)\"")
            == ["F:2:1: peer.uri: the peer \(SampleKeys.a) is listed twice"])
    #expect(
        try problems("[[listen]]\nuri = \"hl1://[::]:9651\"\n[[listen]]\nuri = \"udp://[::]\"")
            == ["F:3:1: listen.uri: hl1://[::]:9651 is listed twice"])
    #expect(
        try problems("peers = [\"\(peerA)\", \"\(peerB)\"]\n[limits]\nmax_peers = 1")
            == ["F:1:\(peerA.count + 14): peer.uri: limits.max_peers allows 1 hl1:// peers, 2 are listed"])
    let route = "[[route]]\nkey = \"\(SampleKeys.c)\"\nvia = \"\(SampleKeys.b)\"\n"
    #expect(
        try problems("peers = [\"\(peerA)\"]\n" + route)
            == ["F:2:1: route.via: \(SampleKeys.b) is not the key of a configured peer"])
    #expect(
        try problems("peers = [\"\(peerB)\"]\n" + route + route)
            == ["F:5:1: route.key: there is another route for \(SampleKeys.c)"])
    // A tcp:// peer has no key that a route could name.
    #expect(
        try problems("peers = [\"\(stock)\"]\n" + route)
            == ["F:2:1: route.via: \(SampleKeys.b) is not the key of a configured peer"])
    // A peer that cannot be read is one mistake, not two.
    #expect(try problems("peers = [\"\(peerB):\"]\n" + route).count == 1)
    #expect(try problems("peers = [\"\(peerB)\"]\n" + route).isEmpty)
}

@Test func flagsBeatTheFile() throws {
    let text = """
        peers = ["\(peerA)"]
        [node]
        key_file = "/file/key"
        [tun]
        enabled = true
        name = "file0"
        [[listen]]
        uri = "hl1://[::]:1"
        [[peer]]
        uri = "\(peerB)"
        [tuning]
        workers = 1
        [log]
        level = "info"
        """
    let peerC = "hl1://\(SampleKeys.c)@peer.example.net:9651"
    // Also where a flag gives the default value.
    let flags = [
        "--peers", peerC, "-k", "/flag/key", "--no-tun", "--tun-name", "hypha0", "--listen", "hl1://[::]:2", "--listen",
        "hl1://[::]:3", "--workers", "0", "--debug",
    ]
    let configuration = try load(text, flags: flags)
    #expect(configuration.peers.map(\.uri.description) == [peerC])
    #expect(configuration.node.keyFile == "/flag/key")
    #expect(!configuration.tun.enabled && configuration.tun.name == "hypha0")
    #expect(configuration.listen.map(\.address.port) == [2, 3])
    #expect(configuration.tuning.workers == 0)
    #expect(configuration.log.level == .debug)
    let unchanged = try load(text)
    #expect(unchanged.node.keyFile == "/file/key" && unchanged.tun.name == "file0" && unchanged.tuning.workers == 1)
    #expect(unchanged.peers.count == 2 && unchanged.listen.map(\.address.port) == [1])
    #expect(try load(text, flags: ["--silent", "-d"]).log.level == .error)
    #expect(
        try problems("", flags: ["--peers", peerC, peerC])
            == ["--peers: peer.uri: the peer \(SampleKeys.c) is listed twice"])
}

@Test func damagedFilesAreReadOrRefusedButNeverTrap() throws {
    let sample = Array(
        try SampleFile.uncommented().split(separator: "\n").filter { !$0.hasPrefix("#") }
            .joined(separator: "\n").utf8)
    let fragments = ["[", "]", "\"", "=", ".", "\n", "9", "-", "[[peer]]", "[tun]", "peers", "true", "{}", "1.5", "é"]
    var hostile = Hostile(seed: 3)
    var refused = 0
    for _ in 0..<1500 {
        let damaged = hostile.damage(sample, fragments: fragments)
        do {
            _ = try ConfigurationLoader.load(damaged, file: "F", overrides: [], keyFile: "/k")
        } catch let failure {
            refused += 1
            #expect(!failure.lines.isEmpty && failure.lines.count <= 21)
            #expect(failure.lines.allSatisfy { $0.hasPrefix("F:") && !$0.contains("\n") })
        }
    }
    #expect(refused > 500)
}

@Test func namesNearbyAreSuggested() {
    let names = ["mtu", "name", "enabled", "offload"]
    #expect(NearestName.suggest(for: "mut", among: names) == "mtu")
    #expect(NearestName.suggest(for: "OFFLOAD", among: names) == "offload")
    #expect(NearestName.suggest(for: "ofload", among: names) == "offload")
    #expect(NearestName.suggest(for: "zzzzzzz", among: names) == nil)
    #expect(NearestName.suggest(for: "x", among: names) == nil)
    #expect(NearestName.suggest(for: String(repeating: "mtu", count: 1000), among: names) == nil)
    // Against the definition by recursion.
    func slow(_ a: ArraySlice<UInt8>, _ b: ArraySlice<UInt8>) -> Int {
        guard let x = a.last, let y = b.last else { return max(a.count, b.count) }
        var best = min(slow(a.dropLast(), b) + 1, slow(a, b.dropLast()) + 1)
        best = min(best, slow(a.dropLast(), b.dropLast()) + (x == y ? 0 : 1))
        if a.count > 1, b.count > 1, x == b.dropLast().last, y == a.dropLast().last {
            best = min(best, slow(a.dropLast(2), b.dropLast(2)) + 1)
        }
        return best
    }
    var hostile = Hostile(seed: 5)
    for _ in 0..<150 {
        let a = hostile.bytes(hostile.number(below: 6)).map { $0 % 3 }
        let b = hostile.bytes(hostile.number(below: 6)).map { $0 % 3 }
        #expect(NearestName.distance(a, b) == slow(a[...], b[...]), "\(a) \(b)")
    }
}

@Test func sizesAndCPUListsPrintWhatTheyMean() {
    for text in ["1", "64K", "4M", "1G", "3M", "65537"] { #expect(ByteSize(text)?.description == text) }
    #expect(ByteSize("1024K")?.description == "1M")
    #expect(ByteSize("9223372036854775807G") == nil)
    #expect(ByteSize("99999999999999999999") == nil)
    #expect(CPUList("5,1-2,0")?.description == "0-2,5")
    #expect(CPUList("")?.description == "")
    #expect(CPUList("0-99999999999999999999") == nil)
}
