import HyphaBase
import HyphaIdentity
import Testing

@testable import hypha

@Test(arguments: [
    ("hl1://\(SampleKeys.a)@192.0.2.1:1234", "192.0.2.1", 1234),
    ("hl1://\(SampleKeys.a)@192.0.2.1", "192.0.2.1", 9651),
    ("udp://\(SampleKeys.a)@192.0.2.1:1", "192.0.2.1", 1),
    ("HL1://\(SampleKeys.a.uppercased())@peer.example.net:65535", "peer.example.net", 65535),
    ("hl1://peer_1.example.net.:9651?key=\(SampleKeys.a)", "peer_1.example.net.", 9651),
    ("hl1://[2001:DB8::0:1]:9651?key=\(SampleKeys.a)", "2001:db8::1", 9651),
    ("hl1://\(SampleKeys.a)@[2001:db8::1]", "2001:db8::1", 9651),
    ("hl1://\(SampleKeys.a)@[fe80::1%eth0]:7", "fe80::1%eth0", 7),
    ("hl1://\(SampleKeys.a)@[::ffff:192.0.2.1]:7", "192.0.2.1", 7),
    ("hl1://\(SampleKeys.a)@localhost", "localhost", 9651),
])
func peerURIsAreRead(text: String, host: String, port: Int) throws {
    let uri = try PeerURI(parsing: text)
    #expect(uri.key?.hex == SampleKeys.a)
    #expect(uri.host == host)
    #expect(Int(uri.port) == port)
    // The printed form means the same.
    #expect(try PeerURI(parsing: uri.description) == uri)
}

@Test(arguments: [
    ("tcp://192.0.2.1:1234", "192.0.2.1", 1234),
    ("tcp://192.0.2.1", "192.0.2.1", 9651),
    ("TCP://peer.example.net:65535", "peer.example.net", 65535),
    ("tcp://[2001:DB8::0:1]:9651", "2001:db8::1", 9651),
    ("tcp://[2001:db8::1]", "2001:db8::1", 9651),
    ("tcp://[fe80::1%eth0]:7", "fe80::1%eth0", 7),
    ("tcp://[::ffff:192.0.2.1]:7", "192.0.2.1", 7),
    ("tcp://host?", "host", 9651),
])
func stockPeerURIsAreRead(text: String, host: String, port: Int) throws {
    let uri = try PeerURI(parsing: text)
    #expect(uri.key == nil)
    #expect(uri.host == host)
    #expect(Int(uri.port) == port)
    #expect(uri.description.hasPrefix("tcp://"))
    #expect(try PeerURI(parsing: uri.description) == uri)
}

@Test(arguments: [
    ("", "must begin with hl1:// or tcp://, not \"\""),
    ("192.0.2.1:9651", "must begin with hl1:// or tcp://"),
    ("hl2://\(SampleKeys.a)@192.0.2.1", "must begin with hl1:// or tcp://, not \"hl2://\""),
    ("quic://192.0.2.1:9651", "this version has no quic links, only hl1:// and tcp://"),
    ("tls://192.0.2.1:9651", "this version has no tls links, only hl1:// and tcp://"),
    ("vsock://2:9651", "this version has no vsock links, only hl1:// and tcp://"),
    ("tcp://\(SampleKeys.a)@192.0.2.1:9651", "takes no key: nobody proves a key on a tcp:// link"),
    ("TCP://192.0.2.1:9651?key=\(SampleKeys.a)", "takes no key"),
    ("tcp://@192.0.2.1:9651", "takes no key"),
    ("tcp://192.0.2.1:9651?priority=1", "has the unknown parameter \"priority\", tcp:// has none"),
    ("tcp://2001:db8::1:9651", "IPv6 address in brackets"),
    ("tcp://192.0.2.1:0", "a port from 1 to 65535"),
    ("tcp://[::]:9651", "the address of one host"),
    ("tcp://host:9651/", "without a path"),
    ("tcp://", "a host name or an IP address"),
    ("hl1://192.0.2.1:9651", "this version needs the key of the peer"),
    ("hl1://host?", "this version needs the key of the peer"),
    ("hl1://\(SampleKeys.a.dropLast())@192.0.2.1:9651", "64 hex digits, this one has 63 characters"),
    ("hl1://@192.0.2.1:9651", "64 hex digits, this one has 0 characters"),
    ("hl1://\(SampleKeys.a.dropLast())g@192.0.2.1:9651", "64 hex digits, not"),
    ("hl1://\(SampleKeys.a)@192.0.2.1?key=\(SampleKeys.a)", "names the key of the peer twice"),
    ("hl1://\(SampleKeys.a)@192.0.2.1?priority=1", "unknown parameter \"priority\""),
    ("hl1://\(SampleKeys.a)@2001:db8::1", "IPv6 address in brackets"),
    ("hl1://\(SampleKeys.a)@[2001:db8::1", "no ]"),
    ("hl1://\(SampleKeys.a)@[2001:db8::1]9651", "must have :port after the ]"),
    ("hl1://\(SampleKeys.a)@[192.0.2.1]:9651", "an IPv6 address in the brackets"),
    ("hl1://\(SampleKeys.a)@[fe80::1%]:9651", "after the %"),
    ("hl1://\(SampleKeys.a)@[fe80::1%abcdefghijklmnop]:9651", "after the %"),
    ("hl1://\(SampleKeys.a)@:9651", "a host name or an IP address"),
    ("hl1://\(SampleKeys.a)@192.0.2.256:9651", "a host name or an IP address"),
    ("hl1://\(SampleKeys.a)@192.0.2:9651", "a host name or an IP address"),
    ("hl1://\(SampleKeys.a)@-a.example:9651", "a host name or an IP address"),
    ("hl1://\(SampleKeys.a)@a..example:9651", "a host name or an IP address"),
    ("hl1://\(SampleKeys.a)@\(String(repeating: "a", count: 64)).example", "a host name or an IP address"),
    ("hl1://\(SampleKeys.a)@host:", "a port from 0 to 65535"),
    ("hl1://\(SampleKeys.a)@host:+1", "a port from 0 to 65535"),
    ("hl1://\(SampleKeys.a)@host:65536", "a port from 0 to 65535"),
    ("hl1://\(SampleKeys.a)@host:0", "a port from 1 to 65535"),
    ("hl1://\(SampleKeys.a)@host:9651/", "without a path"),
    ("hl1://\(SampleKeys.a)@host 1:9651", "without blanks"),
    ("hl1://\(SampleKeys.a)@höst:9651", "ASCII"),
    ("hl1://\(SampleKeys.a)@[::]:9651", "the address of one host"),
    ("hl1://\(SampleKeys.a)@[ff02::1]:9651", "the address of one host"),
    ("hl1://\(SampleKeys.a)@0.0.0.0:9651", "the address of one host"),
    ("hl1://\(SampleKeys.a)@224.0.0.1:9651", "the address of one host"),
    ("hl1://\(SampleKeys.a)@\(String(repeating: "a.", count: 600))", "at most 1024 characters"),
])
func wrongPeerURIsAreRefusedWithAReason(text: String, words: String) throws {
    let error = try #require(throws: InvalidValue.self) { _ = try PeerURI(parsing: text) }
    #expect(error.reason.contains(words), "\(error.reason)")
}

@Test(arguments: [
    ("hl1://[::]:9651", "[::]:9651"),
    ("udp://[::]", "[::]:9651"),
    ("tcp://[::]", "[::]:9651"),
    ("TCP://127.0.0.1:443", "127.0.0.1:443"),
    ("tcp://[2001:db8::1]:0", "[2001:db8::1]:0"),
    ("hl1://0.0.0.0:443", "0.0.0.0:443"),
    ("hl1://[2001:db8::1]:0", "[2001:db8::1]:0"),
])
func listenURIsAreRead(text: String, address: String) throws {
    let uri = try ListenURI(parsing: text)
    #expect(uri.address == SocketAddress(address))
    #expect(uri.scheme == (text.lowercased().hasPrefix("tcp") ? .tcp : .hl1))
    #expect(try ListenURI(parsing: uri.description) == uri)
}

@Test(arguments: [
    ("quic://[::]:9651", "this version has no quic links"),
    ("tcp://localhost:9651", "a literal address without a zone, as tcp://[::]:9651"),
    ("tcp://[::]:9651?backlog=5", "an address and a port only, tcp://[::]:9651"),
    ("tcp://\(SampleKeys.a)@[::]:9651", "an address and a port only, tcp://[::]:9651"),
    ("hl1://localhost:9651", "a literal address"),
    ("hl1://[fe80::1%eth0]:9651", "a literal address without a zone"),
    ("hl1://\(SampleKeys.a)@[::]:9651", "an address and a port only"),
    ("hl1://[::]:9651?backlog=5", "an address and a port only"),
    ("hl1://*:9651", "a host name or an IP address"),
    ("hl1://:9651", "a host name or an IP address"),
])
func wrongListenURIsAreRefusedWithAReason(text: String, words: String) throws {
    let error = try #require(throws: InvalidValue.self) { _ = try ListenURI(parsing: text) }
    #expect(error.reason.contains(words), "\(error.reason)")
}

@Test func damagedURIsNeverTrapAndPrintWhatTheyMean() {
    let samples = [
        "hl1://\(SampleKeys.a)@192.0.2.1:9651", "hl1://[2001:db8::1]:9651?key=\(SampleKeys.b)",
        "udp://\(SampleKeys.c)@[fe80::1%eth0]:1", "hl1://peer.example.net?key=\(SampleKeys.c)", "hl1://[::]:9651",
        "tcp://[fe80::1%eth0]:1", "tcp://peer.example.net", "tcp://0.0.0.0:9651",
    ]
    let fragments = ["@", ":", "[", "]", "?", "&", "=", "%", "/", "://", "key=", ".", "-", "\0", "é", "::", "0", " "]
    var hostile = Hostile(seed: 11)
    var accepted = 0
    for round in 0..<20_000 {
        let sample = Array(samples[round % samples.count].utf8)
        let text = String(decoding: hostile.damage(sample, fragments: fragments), as: UTF8.self)
        if let uri = try? PeerURI(parsing: text) {
            accepted += 1
            #expect((try? PeerURI(parsing: uri.description)) == uri, "\(text)")
        }
        if let uri = try? ListenURI(parsing: text) { #expect((try? ListenURI(parsing: uri.description)) == uri) }
    }
    #expect(accepted > 100)
    for _ in 0..<2000 {
        let text = String(decoding: hostile.bytes(hostile.number(below: 80)), as: UTF8.self)
        _ = try? PeerURI(parsing: text)
        _ = try? PeerURI(parsing: "hl1://" + text)
        _ = try? ListenURI(parsing: "hl1://" + text)
    }
}
