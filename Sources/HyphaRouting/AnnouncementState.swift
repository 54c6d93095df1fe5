import HyphaBase

/// What the neighbours were last told about a prefix, and when they are told again.
struct AnnouncementState: Sendable {
    /// Infinite: nothing, or a retraction.
    var metric = Metric.infinite
    /// Number of the router id, while `metric` is finite.
    var routerID: UInt32 = 0
    var sent = Instant.zero
    /// When it was last taken back.
    var lost = Instant.zero
    /// Some neighbours were told about a route, or under a router id, of which the others were not told yet.
    var isToldToSome = false
    /// When the next announcement is due; the distant future when none is.
    var due = Instant.distantFuture
    /// How often the spacing was doubled.
    var flaps: UInt8 = 0
    /// In the queue of those that `poll` announces.
    var isQueued = false

    /// Nothing was said that would have to be taken back, and nothing is to be said.
    var isBlank: Bool {
        metric.isInfinite && !isToldToSome && !isQueued && due == .distantFuture
    }
}
