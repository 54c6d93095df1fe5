/// What an initiator says about itself, sealed in INIT. Provisional until the session is confirmed.
///
/// The sealed 32 bytes, little-endian:
///
/// | off | len | field |
/// |---|---|---|
/// | 0 | 8 | seconds |
/// | 8 | 4 | count |
/// | 12 | 4 | caps |
/// | 16 | 2 | largest datagram |
/// | 18 | 1 | seal modes |
/// | 19 | 1 | lanes |
/// | 20 | 8 | boot id |
/// | 28 | 4 | reserved |
public struct InitFields: Hashable, Sendable {
    /// Seconds of the time of this INIT.
    public var seconds: UInt64
    /// Counter of the time of this INIT.
    public var count: UInt32
    /// Capabilities; unknown bits are ignored.
    public var caps: UInt32
    /// Links: largest UDP payload that the sender takes, at least 1232. End to end: largest body, at least 1152.
    public var largestDatagram: UInt16
    /// Links: seal modes that the sender accepts, bit 0 (full) set, bit 1 header-sealed, others ignored. End to end:
    /// zero, whatever arrives.
    public var sealModes: UInt8
    /// Lanes that the sender can receive: 1...16 on links, 16 end to end.
    public var lanes: UInt8
    /// Random number of the sender's current run, read from its 8 bytes as little-endian.
    public var bootID: UInt64

    public init(
        seconds: UInt64, count: UInt32, caps: UInt32, largestDatagram: UInt16, sealModes: UInt8, lanes: UInt8,
        bootID: UInt64
    ) {
        self.seconds = seconds
        self.count = count
        self.caps = caps
        self.largestDatagram = largestDatagram
        self.sealModes = sealModes
        self.lanes = lanes
        self.bootID = bootID
    }

    /// Seconds and counter as one value that compares as they do.
    public var time: InitTime { InitTime(seconds: seconds, count: count) }

    static let size = 32

    /// The sealed part; nil for values that every receiver refuses.
    func encoded(scope: HandshakeScope) -> [UInt8]? {
        guard scope.permits(largestDatagram: largestDatagram, sealModes: sealModes, lanes: lanes) else { return nil }
        var out: [UInt8] = []
        out.reserveCapacity(InitFields.size)
        out.append(littleEndian: seconds)
        out.append(littleEndian: count)
        out.append(littleEndian: caps)
        out.append(littleEndian: largestDatagram)
        out.append(scope.isLink ? sealModes : 0)
        out.append(lanes)
        out.append(littleEndian: bootID)
        out.append(littleEndian: 0 as UInt32)
        return out
    }

    /// Reads the sealed part; nil for another size or values out of range.
    init?(decoding bytes: [UInt8], scope: HandshakeScope) {
        guard bytes.count == InitFields.size else { return nil }
        self.init(
            seconds: bytes.littleEndian(at: 0), count: bytes.littleEndian(at: 8), caps: bytes.littleEndian(at: 12),
            largestDatagram: bytes.littleEndian(at: 16), sealModes: scope.isLink ? bytes[18] : 0, lanes: bytes[19],
            bootID: bytes.littleEndian(at: 20))
        guard scope.permits(largestDatagram: largestDatagram, sealModes: sealModes, lanes: lanes) else { return nil }
    }
}
