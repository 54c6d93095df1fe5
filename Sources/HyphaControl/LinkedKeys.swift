import HyphaBase
import HyphaIdentity

/// Nodes with an HL1 link in order, and since when. Their keys are proved.
struct LinkedKeys: Sendable {
    private struct Use: Sendable {
        var links: Int
        let since: Instant
    }

    private var keys: [UInt32: PublicKey] = [:]
    private var uses: [PublicKey: Use] = [:]

    /// Since when the node has been linked without a gap; nil when it is not.
    func since(_ key: PublicKey) -> Instant? { uses[key]?.since }

    /// A link is up, or was already.
    mutating func up(_ link: UInt32, _ key: PublicKey, now: Instant) {
        guard keys[link] != key else { return }
        _ = down(link)
        keys[link] = key
        uses[key, default: Use(links: 0, since: now)].links += 1
    }

    /// A link is down. Returns its node's key when that was its last one.
    mutating func down(_ link: UInt32) -> PublicKey? {
        guard let key = keys.removeValue(forKey: link) else { return nil }
        uses[key]?.links -= 1
        guard uses[key]?.links == 0 else { return nil }
        uses[key] = nil
        return key
    }
}
