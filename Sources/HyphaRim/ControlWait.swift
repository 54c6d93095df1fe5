internal import CKernel
public import HyphaBase

/// Where the control thread sleeps: until another thread wakes it, a signal comes in, a socket of its own has something
/// to read, or its next deadline.
public struct ControlWait: Sendable {
    /// What ended a sleep. Empty: the deadline, or nothing at all.
    public struct Reasons: OptionSet, Sendable {
        public let rawValue: Int32
        public init(rawValue: Int32) { self.rawValue = rawValue }
        /// Someone called `Wake.signal`.
        public static let woken = Reasons(rawValue: CHY_WOKEN)
        /// `Signals.take` has something.
        public static let signal = Reasons(rawValue: CHY_SIGNAL)
        /// One of the further descriptors has something to read.
        public static let readable = Reasons(rawValue: CHY_READABLE)
    }

    let wake: Wake
    let signals: Signals?

    /// Sleeps on `wake`, and on `signals` when given.
    public init(wake: Wake, signals: Signals? = nil) {
        self.wake = wake
        self.signals = signals
    }

    /// Further descriptors of one sleep at most.
    public static let maxDescriptors = Int(CHY_OTHERS)

    /// Sleeps until `deadline` at the latest; nil is no limit. May return early without a reason. Of `descriptors` the
    /// first `maxDescriptors` count; one that stays readable ends every sleep at once.
    public func sleep(until deadline: Instant?, orReadable descriptors: [WaitDescriptor] = []) -> Reasons {
        var limit: Int64 = -1
        if let deadline {
            limit = Int64(clamping: deadline.nanoseconds(since: SystemClock.now()))
        }
        return Reasons(
            rawValue: chy_wait(
                wake.descriptor, signals?.descriptor ?? -1, descriptors.map(\.number),
                Int32(min(descriptors.count, ControlWait.maxDescriptors)), limit))
    }
}
