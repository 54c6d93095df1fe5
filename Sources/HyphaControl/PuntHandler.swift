import HyphaBase
import HyphaWire

/// Reads what workers hand to control. Total: any bytes give a value.
enum PuntHandler {
    /// What a link control message asks for.
    struct LinkControl: Equatable, Sendable {
        /// What to send back.
        var answers: [ControlTLV] = []
        var probes = 0
        var challenges = 0
        /// Route control, in order.
        var routing: [ControlTLV] = []
        /// Entries without a meaning for this node yet; padding not counted.
        var ignored = 0
    }

    /// Bytes of an HL1 datagram around a control message: header and tag.
    private static let linkOverhead = LinkHeader.size + LinkHeader.tagSize

    /// A routing header and its body.
    static func overlay(_ packet: UnsafeRawBufferPointer) -> OverlayPunt {
        guard packet.count >= RoutingHeader.size, let header = packet.baseAddress,
            let kind = RoutingHeader.kind(header)
        else { return .bad }
        let body = UnsafeRawBufferPointer(rebasing: packet[RoutingHeader.size...])
        switch kind {
        case .initiation, .response, .cookie:
            guard let bytes = body.baseAddress, LinkHeader.check(bytes, length: body.count) == .handshake,
                body[0] == kind.rawValue
            else { return .bad }
            return .handshake(
                kind, Array(body), source: RoutingHeader.source(header), destination: RoutingHeader.destination(header))
        case .error:
            guard let bytes = body.baseAddress, let error = ErrorBody.parse(bytes, length: body.count) else {
                return .badError
            }
            let quoted = bytes + ErrorBody.quoteOffset
            return .error(
                error.code, value: error.value, index: RoutingHeader.index(quoted),
                quotedSource: RoutingHeader.source(quoted), quotedDestination: RoutingHeader.destination(quoted))
        case .data, .stock:
            return .bad
        }
    }

    /// A control message of a neighbour; nil when it breaks a rule.
    static func linkControl(_ message: UnsafeRawBufferPointer) -> LinkControl? {
        guard let entries = ControlTLV.parse(message, space: .link) else { return nil }
        let payload = UInt16(clamping: message.count + linkOverhead)
        var result = LinkControl()
        for entry in entries {
            switch entry.type {
            case ControlTLV.pad: break
            case probe:
                result.probes += 1
                let size = [UInt8(truncatingIfNeeded: payload), UInt8(truncatingIfNeeded: payload >> 8)]
                result.answers.append(ControlTLV(type: probeAcknowledgement, value: entry.value + size))
            case challenge:
                result.challenges += 1
                result.answers.append(ControlTLV(type: answer, value: entry.value))
            case RouteControl.firstType...RouteControl.lastType: result.routing.append(entry)
            default: result.ignored += 1
            }
        }
        return result
    }

    /// A control message of an end-to-end peer, behind its routing header; false when it breaks a rule. Nothing but
    /// padding has a meaning there.
    static func flowControl(_ packet: UnsafeRawBufferPointer) -> Bool {
        guard packet.count >= RoutingHeader.size else { return false }
        let message = UnsafeRawBufferPointer(rebasing: packet[RoutingHeader.size...])
        return ControlTLV.parse(message, space: .endToEnd) != nil
    }

    private static let challenge: UInt8 = 0xA1
    private static let answer: UInt8 = 0xA2
    private static let probe: UInt8 = 0xA3
    private static let probeAcknowledgement: UInt8 = 0xA4
}
