internal import CKernel
internal import Glibc

/// Signals as a queue that the control thread reads, instead of handlers that interrupt.
public final class Signals: Sendable {
    /// The signals that a node acts on.
    public enum Signal: Sendable, CaseIterable {
        /// SIGINT or SIGTERM: end in good order.
        case terminate
        /// SIGHUP: read the configuration again.
        case reload
        /// SIGUSR1: write the state into the log.
        case dump
    }

    static let numbers: [Int32] = [SIGINT, SIGTERM, SIGHUP, SIGUSR1]

    let descriptor: Int32

    /// Blocks the signals for the calling thread and all threads it starts from now on, and opens their queue.
    ///
    /// Call on the main thread before the first other thread starts: a thread that does not block them would be
    /// interrupted.
    public init() throws(RimError) {
        let count = Int32(Signals.numbers.count)
        let blocked = chy_signals_block(Signals.numbers, count)
        let fd = blocked < 0 ? blocked : chy_signals_open(Signals.numbers, count)
        descriptor = fd
        guard fd >= 0 else {
            throw RimError(.system, "cannot take over the process's signals: \(RimError.text(-fd))")
        }
    }

    deinit { chy_close(descriptor) }

    /// The next signal that came in, nil when there is none. Never blocks.
    public func take() -> Signal? {
        switch chy_signals_take(descriptor) {
        case SIGINT, SIGTERM: .terminate
        case SIGHUP: .reload
        case SIGUSR1: .dump
        default: nil
        }
    }
}
