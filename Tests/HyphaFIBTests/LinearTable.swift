import HyphaBase
import HyphaFIB
import HyphaWire

/// Longest-prefix match as its definition says it: look at every prefix, keep the longest that contains the address.
struct LinearTable {
    var entries: [(prefix: Prefix, nextHop: NextHop)] = []

    mutating func insert(_ prefix: Prefix, _ nextHop: NextHop) {
        remove(prefix)
        entries.append((prefix, nextHop))
    }

    mutating func remove(_ prefix: Prefix) {
        entries.removeAll { $0.prefix == prefix }
    }

    func lookup(_ a: IPv6Address) -> NextHop {
        var best: (length: Int, nextHop: NextHop) = (-1, .none)
        for (prefix, nextHop) in entries where prefix.length > best.length && LinearTable.bits(prefix, a) {
            best = (prefix.length, nextHop)
        }
        return best.nextHop
    }

    /// Whether the address begins with the bits of the prefix, without any help from `Prefix`.
    static func bits(_ prefix: Prefix, _ a: IPv6Address) -> Bool {
        let high = prefix.address.high ^ a.high
        let low = prefix.address.low ^ a.low
        let shared = high != 0 ? high.leadingZeroBitCount : 64 + low.leadingZeroBitCount
        return shared >= prefix.length
    }
}
