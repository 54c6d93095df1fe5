import HyphaBase

/// When a link was heard from and carried packets (no control messages) last.
///
/// A link that carries packets both ways is watched by both ends, whoever spoke last: behind a cut nobody answers any more,
/// so an end that has just been answered would have nothing to wait for, and notice the cut only with its next packet.
struct LinkUse {
    /// A link is in use so long after packets went in both directions, and is then asked after so much silence.
    static let lastsMilliseconds: UInt64 = 300
    static let watchAfterMilliseconds: UInt64 = 100

    /// When something valid came; zero before the first time, as the others.
    private(set) var heard = Instant.zero
    private var packetIn = Instant.zero
    private var packetOut = Instant.zero

    /// Something valid came in.
    @inline(__always)
    mutating func received(isPacket: Bool, now: Instant) {
        heard = now
        if isPacket { packetIn = now }
    }

    /// A packet goes out.
    @inline(__always)
    mutating func sentPacket(now: Instant) { packetOut = now }

    /// The worker did not run for so long: nobody could be heard.
    mutating func overlook(nanoseconds: UInt64, now: Instant) {
        heard = min(now, heard.advanced(byNanoseconds: nanoseconds))
    }

    /// Whether the link carries packets both ways.
    func isInUse(now: Instant) -> Bool {
        packetIn != .zero && now.milliseconds(since: packetIn) < LinkUse.lastsMilliseconds
            && packetOut != .zero && now.milliseconds(since: packetOut) < LinkUse.lastsMilliseconds
    }

    /// Whether it does, and nothing came for a while.
    func isQuiet(now: Instant) -> Bool {
        isInUse(now: now) && now.milliseconds(since: heard) >= LinkUse.watchAfterMilliseconds
    }
}
