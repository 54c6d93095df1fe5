import HyphaBase
import HyphaInterchange

/// Which ageing routes were used lately: control hears of each /64 at most once a second, and of 64 a second in all.
///
/// Two /64 that share a place wait for each other: the second one is told when the first one's second is over. A handle:
/// copies share the memory.
struct RouteUse {
    static let pauseMilliseconds: UInt64 = 1_000
    private static let bits: UInt64 = 6
    /// When something in a place was told last; zero: never.
    private let told: UnsafeMutablePointer<Instant>

    init() {
        told = .allocate(capacity: 1 << Int(RouteUse.bits))
        told.initialize(repeating: .zero, count: 1 << Int(RouteUse.bits))
    }

    func deallocate() { told.deallocate() }

    /// A packet goes to an address with this upper half, by a route that ends soon.
    @inline(never)
    func note(_ prefix: UInt64, now: Instant, _ punts: inout PuntRings) {
        let hash = (prefix ^ prefix &>> 32) &* 0x9E37_79B9_7F4A_7C15
        let place = told + Int(truncatingIfNeeded: hash &>> (64 &- RouteUse.bits))
        let last = place.pointee
        if last != .zero, now.milliseconds(since: last) < RouteUse.pauseMilliseconds { return }
        if punts.notice(.routeUsed, prefix: prefix) { place.pointee = now }
    }
}
