import HyphaBase

/// The empty messages by which an initiator confirms its session: at once and 0.25, 0.5, 1 and 2 s later, until
/// something came in under it.
struct ConfirmRepeats: Sendable {
    let slot: UInt32
    private let began: Instant
    private var step = 0
    /// The peer was silent meanwhile.
    var peerIsSilent = false

    private static let offsets: [UInt64] = [250, 500, 1_000, 2_000]
    /// When a session that nothing came in under is as good as none, milliseconds.
    private static let end: UInt64 = 2_500

    init(slot: UInt32, now: Instant) {
        self.slot = slot
        began = now
    }

    var nextDeadline: Instant {
        began.advanced(
            byMilliseconds: step < ConfirmRepeats.offsets.count ? ConfirmRepeats.offsets[step] : ConfirmRepeats.end)
    }

    /// True when all were sent.
    var isOver: Bool { step >= ConfirmRepeats.offsets.count }

    mutating func sentOne() { step += 1 }
}
