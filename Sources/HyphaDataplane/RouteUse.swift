import HyphaBase
import HyphaInterchange

/// Which ageing routes were used lately: control hears of each /64 at most once a second, and of 64 a second in all.
///
/// Two /64 that share a place wait for each other: the second one is noted when the first one's second is over. A handle:
/// copies share the memory.
struct RouteUse {
    private struct Place {
        var prefix: UInt64 = 0
        /// When it was noted; zero when nothing was.
        var noted = Instant.zero
        /// Control is yet to hear of it.
        var isUntold = false
    }

    static let pauseMilliseconds: UInt64 = 1_000
    private static let bits: UInt64 = 6
    private static let count = 1 << Int(bits)
    private let places: UnsafeMutablePointer<Place>
    private let untold: UnsafeMutablePointer<Int>

    init() {
        places = .allocate(capacity: RouteUse.count)
        places.initialize(repeating: Place(), count: RouteUse.count)
        untold = .allocate(capacity: 1)
        untold.initialize(to: 0)
    }

    func deallocate() {
        places.deallocate()
        untold.deallocate()
    }

    /// A packet goes to an address with this upper half by a route that ends soon.
    @inline(never)
    func note(_ prefix: UInt64, now: Instant) {
        let hash = (prefix ^ prefix &>> 32) &* 0x9E37_79B9_7F4A_7C15
        let place = places + Int(truncatingIfNeeded: hash &>> (64 &- RouteUse.bits))
        let last = place.pointee.noted
        if last != .zero, now.milliseconds(since: last) < RouteUse.pauseMilliseconds { return }
        if !place.pointee.isUntold { untold.pointee &+= 1 }
        place.initialize(to: Place(prefix: prefix, noted: now, isUntold: true))
    }

    /// Tells control what was noted; what finds no room waits for the next call.
    func tell(_ punts: inout PuntRings) {
        guard untold.pointee > 0 else { return }
        for i in 0..<RouteUse.count where places[i].isUntold {
            guard punts.notice(Notice(.routeUsed, prefix: places[i].prefix)) else { return }
            places[i].isUntold = false
            untold.pointee &-= 1
        }
    }
}
