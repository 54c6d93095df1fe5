import HyphaWire

/// Control messages of one node: whole datagrams of HL1 and whole segments of streams, in both directions.
struct SimTraffic: Sendable {
    var messages = 0
    var bytes = 0
    var updates = 0
    /// The bytes, by what they are for.
    var parts = [Int](repeating: 0, count: SimTraffic.partNames.count)

    /// Names of the parts: entries by kind, and headers of datagrams and segments.
    static let partNames = ["hello", "ihu", "update", "route_request", "seqno_request", "headers"]

    mutating func count(_ message: SimMessage, isStream: Bool) {
        messages += 1
        bytes += message.size + SimMessage.overhead(isStream: isStream)
        parts[5] += SimMessage.overhead(isStream: isStream)
        for entry in message.entries {
            if case .update = entry { updates += 1 }
            parts[SimTraffic.part(entry)] += SimMessage.size(of: entry, isStream: isStream)
        }
    }

    static func - (a: SimTraffic, b: SimTraffic) -> SimTraffic {
        SimTraffic(
            messages: a.messages - b.messages, bytes: a.bytes - b.bytes, updates: a.updates - b.updates,
            parts: zip(a.parts, b.parts).map { $0 - $1 })
    }

    private static func part(_ entry: BabelTLV) -> Int {
        switch entry {
        case .hello: 0
        case .ihu: 1
        case .update: 2
        case .routeRequest: 3
        case .seqnoRequest: 4
        }
    }
}
