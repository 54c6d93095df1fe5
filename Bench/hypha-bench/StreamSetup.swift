import HyphaBase
import HyphaIdentity

/// What the stock neighbours of a benchmark are told on the first line of their input.
struct StreamSetup {
    /// Where the node under test listens.
    var relay: SocketAddress
    /// The secret key of the neighbour itself, 32 bytes.
    var secret: [UInt8]
    /// Overlay addresses of sender and sink.
    var source: IPv6Address
    var destination: IPv6Address
    /// Bytes of payload in a frame.
    var payload: Int
    /// Makes the same frames at both ends.
    var seed: UInt64
    /// What the relay takes off the hop limit.
    var steps: UInt8
    /// Bit set of cores to run on.
    var cpus: UInt64

    var message: PipeMessage {
        PipeMessage(
            "setup",
            [
                ("relay", relay.description), ("secret", Hex.encode(secret)), ("source", source.description),
                ("destination", destination.description), ("payload", "\(payload)"), ("seed", "\(seed)"),
                ("steps", "\(steps)"), ("cpus", "\(cpus)"),
            ])
    }
}

extension StreamSetup {
    init(_ message: PipeMessage) throws(BenchError) {
        guard message.verb == "setup", let relay = SocketAddress(try message.text("relay")),
            let secret = Hex.decode(try message.text("secret")),
            let source = IPv6Address(try message.text("source")),
            let destination = IPv6Address(try message.text("destination"))
        else { throw .failed("stock neighbours are started by \"hypha-bench\", not by hand") }
        self.init(
            relay: relay, secret: secret, source: source, destination: destination,
            payload: Int(clamping: try message.number("payload")), seed: try message.number("seed"),
            steps: UInt8(clamping: try message.number("steps")), cpus: try message.number("cpus"))
    }
}
