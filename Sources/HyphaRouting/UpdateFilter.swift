public import HyphaBase
public import HyphaWire

/// Which Updates are looked at at all.
public enum UpdateFilter {
    /// Where all overlay addresses lie.
    public static let overlay = Prefix(IPv6Address(high: 0x0400 << 48, low: 0), length: 7)
    /// The shortest prefix that anybody owns.
    public static let shortestLength = 64

    /// Whether a prefix can be routed: inside 400::/7 and no shorter than a /64.
    public static func isRoutable(_ prefix: Prefix) -> Bool {
        prefix.length >= shortestLength && overlay.contains(prefix.address)
    }

    /// Whether an Update passes. `origin` is the address that belongs to the key in its router id: it must lie inside
    /// the prefix, but for retractions, which carry the router id of the node that retracts.
    public static func accepts(_ prefix: Prefix, metric: Metric, origin: IPv6Address) -> Bool {
        isRoutable(prefix) && (metric.isInfinite || prefix.contains(origin))
    }
}
