internal import HyphaBase
internal import HyphaControl
internal import HyphaIdentity
internal import HyphaInterchange
internal import HyphaPacket
internal import HyphaRim

extension Node {
    /// All counters and what the control plane knows, as one line of JSON. No secrets: keys are public keys.
    func report() -> String {
        let row = port.counters.snapshot()
        let now = SystemClock.now()
        let status = control.loop.status(now: now)
        var counters: [(String, String)] = Counter.allCases.map { ($0.name, "\(row[$0])") }
        counters.append(("waiting", "\(row.waiting)"))
        let drops = DropReason.allCases.map { ($0.name, "\(row[$0])") }
        let links = status.links.map { link in
            object([
                ("id", "\(link.id)"), ("key", text(link.key.hex)), ("label", text(link.label)),
                ("state", text(link.state.rawValue)),
                ("endpoint", link.endpoint.map { text("\($0)") } ?? "null"),
                ("rtt_ms", link.roundTripNanoseconds.map { milliseconds($0) } ?? "null"),
                ("session_age_ms", link.sessionAgeMilliseconds.map { "\($0)" } ?? "null"),
                ("suite", link.suite.map { "\($0)" } ?? "null"),
                ("largest_datagram", link.largestDatagram.map { "\($0)" } ?? "null"),
            ])
        }
        let streams = status.streams.map { stream in
            object([
                ("id", stream.id.map { "\($0)" } ?? "null"), ("key", stream.key.map { text($0.hex) } ?? "null"),
                ("label", text(stream.label)), ("host", text(stream.host)), ("dialled", "\(stream.isDialled)"),
                ("state", text(stream.state.rawValue)), ("since_ms", "\(stream.since)"),
                ("endpoint", stream.remote.map { text("\($0)") } ?? "null"),
                ("connection", stream.connection.map { "\($0)" } ?? "null"),
                ("rtt_ms", stream.roundTripMicroseconds.map { milliseconds(UInt64($0) * 1_000) } ?? "null"),
            ])
        }
        let peers = status.peers.map { peer in
            object([
                ("id", "\(peer.id)"), ("key", text(peer.key.hex)), ("address", text("\(peer.address)")),
                ("state", text(peer.state.rawValue)), ("native", "\(peer.isNative)"),
                ("rtt_ms", peer.roundTripNanoseconds.map { milliseconds($0) } ?? "null"),
                ("session_age_ms", peer.sessionAgeMilliseconds.map { "\($0)" } ?? "null"),
                ("suite", peer.suite.map { "\($0)" } ?? "null"),
            ])
        }
        let features: [(String, OffloadStatus.Feature)] = [
            ("udp_gro", offload.udpGRO), ("udp_gso", offload.udpGSO), ("tun_tso", offload.tunTSO),
            ("tun_uso", offload.tunUSO), ("multishot_read", offload.multishotRead),
            ("receive_bundles", offload.receiveBundles),
        ]
        return object([
            ("time", "\(SystemClock.wallSeconds)"), ("version", text(Version.number)),
            ("address", text("\(identity.address)")), ("key", text(identity.publicKey.hex)),
            ("uptime_ms", "\(now.milliseconds(since: started))"),
            ("counters", object(counters)), ("drops", object(drops)),
            ("control", object(status.counters.all.map { ($0.name, "\($0.value)") })),
            ("routing", object(status.routing.map { ($0.name, "\($0.value)") })),
            ("offload", object(features.map { ($0.0, $0.1.isOn ? "true" : "false") })),
            ("links", list(links)), ("streams", list(streams)), ("peers", list(peers)),
        ])
    }

    private func list(_ values: [String]) -> String { "[" + values.joined(separator: ",") + "]" }

    private func object(_ fields: [(String, String)]) -> String {
        "{" + fields.map { "\(text($0.0)):\($0.1)" }.joined(separator: ",") + "}"
    }

    private func text(_ value: String) -> String { JSONText.quote(value) }

    private func milliseconds(_ nanoseconds: UInt64) -> String {
        let micros = nanoseconds / 1_000
        let fraction = "\(micros % 1_000)"
        return "\(micros / 1_000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }
}
