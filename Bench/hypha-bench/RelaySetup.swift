import HyphaBase
import HyphaIdentity

/// What sender and sink of the relay benchmark are told on the first line of their input.
struct RelaySetup {
    /// Where the node under test listens.
    var relay: SocketAddress
    /// Its key.
    var relayKey: PublicKey
    /// The secret key of the sender or sink itself, 32 bytes.
    var secret: [UInt8]
    /// Overlay addresses of sender and sink.
    var source: IPv6Address
    var destination: IPv6Address
    /// UDP payload of a datagram in bytes.
    var size: Int
    var mode: SealMode
    var suite: CipherSuite
    /// Sender: most bytes of packets to seal ahead.
    var memory: Int
    /// Makes the same bodies at both ends.
    var seed: UInt64
    /// Bit set of cores to run on.
    var cpus: UInt64

    var message: PipeMessage {
        PipeMessage(
            "setup",
            [
                ("relay", relay.description), ("key", relayKey.hex), ("secret", Hex.encode(secret)),
                ("source", source.description), ("destination", destination.description), ("size", "\(size)"),
                ("mode", mode.rawValue), ("suite", suite.rawValue), ("memory", "\(memory)"), ("seed", "\(seed)"),
                ("cpus", "\(cpus)"),
            ])
    }
}

extension RelaySetup {
    init(_ message: PipeMessage) throws(BenchError) {
        guard message.verb == "setup", let relay = SocketAddress(try message.text("relay")),
            let relayKey = PublicKey(hex: try message.text("key")), let secret = Hex.decode(try message.text("secret")),
            let source = IPv6Address(try message.text("source")),
            let destination = IPv6Address(try message.text("destination")),
            let mode = SealMode(rawValue: try message.text("mode")),
            let suite = CipherSuite(rawValue: try message.text("suite"))
        else { throw .failed("sender and sink are started by \"hypha-bench relay\", not by hand") }
        self.init(
            relay: relay, relayKey: relayKey, secret: secret, source: source, destination: destination,
            size: Int(clamping: try message.number("size")), mode: mode, suite: suite,
            memory: Int(clamping: try message.number("memory")), seed: try message.number("seed"),
            cpus: try message.number("cpus"))
    }
}
