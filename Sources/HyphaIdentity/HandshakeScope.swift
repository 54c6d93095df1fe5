public import HyphaBase

/// What a handshake is for. Both use the same messages; prologue and labels keep them apart (docs/protocol.md, "Keys,
/// labels and associated data").
public enum HandshakeScope: Hashable, Sendable {
    /// HL1: between neighbours, over UDP.
    case link
    /// HE1: between two nodes anywhere. The canonical overlay addresses of both keys are part of the transcript.
    case endToEnd(initiator: IPv6Address, responder: IPv6Address)

    var isLink: Bool { self == .link }

    /// True for values that INIT and RESP may carry: largest datagram at least 1232 and lanes 1...16 and full seals on
    /// links; largest body at least 1152 and all 16 lanes end to end.
    func permits(largestDatagram: UInt16, sealModes: UInt8, lanes: UInt8) -> Bool {
        switch self {
        case .link: largestDatagram >= 1232 && sealModes & 1 != 0 && (1...16).contains(lanes)
        case .endToEnd: largestDatagram >= 1152 && lanes == 16
        }
    }

    /// True when a node with this key may begin: any on a link, end to end the one that the source address belongs to.
    func permits(initiator key: PublicKey) -> Bool {
        switch self {
        case .link: true
        case .endToEnd(let initiator, _): key.address == initiator
        }
    }

    /// The prologue. `head`: bytes 0 to 3 of INIT.
    ///
    /// | link | end to end |
    /// |---|---|
    /// | "hypha link 1" | "hypha e2e 1" |
    /// | head 4 | head 4 |
    /// | - | initiator's address 16 |
    /// | - | responder's address 16 |
    /// | tag 16 | tag 16 |
    func prologue(head: ArraySlice<UInt8>, tag: [UInt8]) -> [UInt8] {
        switch self {
        case .link:
            Array("hypha link 1".utf8) + head + tag
        case .endToEnd(let initiator, let responder):
            Array("hypha e2e 1".utf8) + head + initiator.bytes + responder.bytes + tag
        }
    }

    /// Key of mac1 in messages to the node with `key`, 32 bytes.
    func mac1Key(to key: PublicKey, tag: [UInt8]) -> [UInt8] {
        BLAKE2b.hash(32, (label("mac1 1") + key.bytes + tag)[...])
    }

    /// Key that seals the COOKIE messages of the node with `key`, 32 bytes.
    func cookieKey(from key: PublicKey) -> [UInt8] {
        BLAKE2b.hash(32, (label("cookie 1") + key.bytes)[...])
    }

    /// Input that makes a lane key from a direction key.
    func laneInput(lane: UInt8, suite: UInt8) -> [UInt8] {
        label("lane 1") + [lane, suite, 0]
    }

    private func label(_ purpose: StaticString) -> [UInt8] {
        Array((isLink ? "hypha \(purpose)" : "hypha e2e \(purpose)").utf8)
    }
}
