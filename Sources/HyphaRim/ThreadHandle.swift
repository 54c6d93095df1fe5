internal import Glibc

/// A running thread. Join it once.
public struct ThreadHandle: @unchecked Sendable {
    private let thread: pthread_t

    init(_ thread: pthread_t) { self.thread = thread }

    /// Waits until the thread has ended.
    public func join() { pthread_join(thread, nil) }

    /// Gives up the right to join.
    public func detach() { pthread_detach(thread) }
}
