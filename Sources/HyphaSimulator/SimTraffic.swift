import HyphaWire

/// Control messages of one node: whole datagrams of HL1 and whole segments of streams, in both directions.
struct SimTraffic: Sendable {
    var messages = 0
    var bytes = 0
    var updates = 0

    mutating func count(_ message: SimMessage, isStream: Bool) {
        messages += 1
        bytes += message.size + SimMessage.overhead(isStream: isStream)
        for case .update(_) in message.entries { updates += 1 }
    }

    static func - (a: SimTraffic, b: SimTraffic) -> SimTraffic {
        SimTraffic(messages: a.messages - b.messages, bytes: a.bytes - b.bytes, updates: a.updates - b.updates)
    }
}
