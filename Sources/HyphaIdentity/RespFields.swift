public import HyphaBase

/// What a responder says about itself and about what it saw, sealed in RESP.
///
/// The sealed 56 bytes, little-endian; the suite chosen stands in the clear part too and must be the same:
///
/// | off | len | field |
/// |---|---|---|
/// | 0 | 16 | observed address |
/// | 16 | 2 | observed port |
/// | 18 | 2 | largest datagram |
/// | 20 | 4 | caps |
/// | 24 | 1 | seal modes |
/// | 25 | 1 | lanes |
/// | 26 | 2 | idle limit |
/// | 28 | 2 | suite chosen |
/// | 30 | 2 | reserved |
/// | 32 | 8 | boot id |
/// | 40 | 16 | reset token |
///
/// End to end, observed address and port, seal modes, idle limit and reset token are zero, whatever is given or arrives.
public struct RespFields: Hashable, Sendable {
    /// Where the INIT came from, as the responder saw it; IPv4 as ::ffff:a.b.c.d.
    public var observedAddress: IPv6Address
    /// UDP port that the INIT came from.
    public var observedPort: UInt16
    /// As in `InitFields`, for the responder.
    public var largestDatagram: UInt16
    /// Capabilities; unknown bits are ignored.
    public var caps: UInt32
    /// As in `InitFields`, for the responder.
    public var sealModes: UInt8
    /// Lanes that the responder can receive: 1...16 on links, 16 end to end.
    public var lanes: UInt8
    /// Seconds without traffic after which the responder forgets the link, 0 for never.
    public var idleLimit: UInt16
    /// Random number of the responder's current run, read from its 8 bytes as little-endian.
    public var bootID: UInt64
    /// Reset token of the responder's sender index, 16 bytes.
    public var resetToken: [UInt8]

    public init(
        observedAddress: IPv6Address, observedPort: UInt16, largestDatagram: UInt16, caps: UInt32, sealModes: UInt8,
        lanes: UInt8, idleLimit: UInt16, bootID: UInt64, resetToken: [UInt8]
    ) {
        self.observedAddress = observedAddress
        self.observedPort = observedPort
        self.largestDatagram = largestDatagram
        self.caps = caps
        self.sealModes = sealModes
        self.lanes = lanes
        self.idleLimit = idleLimit
        self.bootID = bootID
        self.resetToken = resetToken
    }

    static let size = 56

    /// The sealed part; nil for values that every receiver refuses, or a reset token of another size.
    func encoded(scope: HandshakeScope, suite: UInt8) -> [UInt8]? {
        guard scope.permits(largestDatagram: largestDatagram, sealModes: sealModes, lanes: lanes),
            resetToken.count == ResetToken.size || !scope.isLink
        else { return nil }
        let isLink = scope.isLink
        var out: [UInt8] = []
        out.reserveCapacity(RespFields.size)
        out += isLink ? observedAddress.bytes : [UInt8](repeating: 0, count: 16)
        out.append(littleEndian: isLink ? observedPort : 0)
        out.append(littleEndian: largestDatagram)
        out.append(littleEndian: caps)
        out.append(isLink ? sealModes : 0)
        out.append(lanes)
        out.append(littleEndian: isLink ? idleLimit : 0)
        out.append(littleEndian: UInt16(suite))
        out.append(littleEndian: 0 as UInt16)
        out.append(littleEndian: bootID)
        out += isLink ? resetToken : [UInt8](repeating: 0, count: ResetToken.size)
        return out
    }

    /// Reads the sealed part; nil for another size, values out of range or another suite than the one in the clear.
    init?(decoding bytes: [UInt8], scope: HandshakeScope, suite: UInt16) {
        guard bytes.count == RespFields.size, bytes.littleEndian(at: 28) == suite,
            let address = IPv6Address(bytes: bytes[..<16])
        else { return nil }
        let isLink = scope.isLink
        self.init(
            observedAddress: isLink ? address : IPv6Address(high: 0, low: 0),
            observedPort: isLink ? bytes.littleEndian(at: 16) : 0, largestDatagram: bytes.littleEndian(at: 18),
            caps: bytes.littleEndian(at: 20), sealModes: isLink ? bytes[24] : 0, lanes: bytes[25],
            idleLimit: isLink ? bytes.littleEndian(at: 26) : 0, bootID: bytes.littleEndian(at: 32),
            resetToken: isLink ? Array(bytes[40...]) : [UInt8](repeating: 0, count: ResetToken.size))
        guard scope.permits(largestDatagram: largestDatagram, sealModes: sealModes, lanes: lanes) else { return nil }
    }
}
