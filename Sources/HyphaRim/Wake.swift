internal import CKernel

/// Wakes one sleeping thread from any other: an eventfd. Signals add up to one waking.
public final class Wake: Sendable {
    let descriptor: Int32

    public init() throws(RimError) {
        descriptor = chy_event_open()
        guard descriptor >= 0 else {
            throw RimError(
                .system,
                "cannot create an eventfd: \(RimError.text(-descriptor)); raise the limit of open files (ulimit -n)")
        }
    }

    deinit { chy_close(descriptor) }

    /// Wakes the owner, now or when it next goes to sleep. One system call; safe from any thread.
    public func signal() { chy_event_signal(descriptor) }
}
