import HyphaInterchange
import HyphaWire

/// What the router says in one go, gathered into as few messages as possible: for each neighbour in order, neighbours in
/// the order of their first message.
///
/// | neighbour | one TLV travels as | in one message |
/// |---|---|---|
/// | over HL1 | control entry 0x80 + type | up to 1,100 bytes, which fit every path |
/// | over TCP | control frame of its own: a stock node loses step at a second TLV | up to 1,400 bytes |
struct RouteMessages: Sendable {
    static let typeOffset: UInt8 = 0x80
    private static let linkMessage = 1_100

    /// Connections of TCP links.
    private(set) var connections: [UInt32: UInt32] = [:]
    private let links: LinkNumbering
    private var order: [UInt32] = []
    private var messages: [UInt32: [UInt8]] = [:]

    init(links: LinkNumbering) { self.links = links }

    /// What is for a TCP link goes over this connection from now on, or nowhere.
    mutating func set(_ connection: UInt32?, of link: UInt32) { connections[link] = connection }

    mutating func append(_ tlv: BabelTLV, to link: UInt32, _ context: inout ControlContext) {
        var bytes: [UInt8] = []
        let isStream = links.isStream(link)
        let body = tlv.body
        if isStream {
            guard let frame = StockFrame.control([tlv.type, UInt8(truncatingIfNeeded: body.count)] + body) else {
                return
            }
            bytes = frame
        } else {
            ControlTLV(type: RouteMessages.typeOffset | tlv.type, value: body).append(to: &bytes)
        }
        let limit = isStream ? InjectedPacket.maxPacket : RouteMessages.linkMessage
        if let length = messages[link]?.count {
            if length + bytes.count > limit, let full = messages.updateValue([], forKey: link) {
                inject(full, link, &context)
            }
        } else {
            order.append(link)
        }
        messages[link, default: []] += bytes
    }

    /// All that was gathered goes out.
    mutating func send(_ context: inout ControlContext) {
        for link in order {
            if let message = messages[link] { inject(message, link, &context) }
        }
        order.removeAll(keepingCapacity: true)
        messages.removeAll(keepingCapacity: true)
    }

    private func inject(_ message: [UInt8], _ link: UInt32, _ context: inout ControlContext) {
        if let connection = connections[link] {
            context.actions.append(
                .inject(InjectedPacket(kind: .streamControl, length: message.count, link: connection), message))
        } else if !links.isStream(link) {
            context.actions.append(
                .inject(InjectedPacket(kind: .linkControl, length: message.count, link: link), message))
        }
    }
}
