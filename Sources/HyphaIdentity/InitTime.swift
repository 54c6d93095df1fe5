/// When an INIT was made, by its maker's clock: seconds first, then the counter. Never repeated by an honest node.
public struct InitTime: Hashable, Comparable, Sendable {
    /// Seconds of the maker's clock.
    public var seconds: UInt64
    /// Tells apart what was made in the same second.
    public var count: UInt32

    public init(seconds: UInt64, count: UInt32) {
        self.seconds = seconds
        self.count = count
    }

    public static func < (left: InitTime, right: InitTime) -> Bool {
        (left.seconds, left.count) < (right.seconds, right.count)
    }
}
