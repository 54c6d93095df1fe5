import HyphaBase

extension Instant {
    /// The earlier of two deadlines of which either may not be set.
    static func earliest(_ a: Instant?, _ b: Instant?) -> Instant? {
        guard let a else { return b }
        guard let b else { return a }
        return min(a, b)
    }
}
