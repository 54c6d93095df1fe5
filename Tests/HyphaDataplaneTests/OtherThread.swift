import Foundation

/// A thread of its own, outside the pool that tests run on, which the test waits for.
final class OtherThread: @unchecked Sendable {
    private let done = DispatchSemaphore(value: 0)

    init(_ run: @escaping @Sendable () -> Void) {
        Thread {
            run()
            self.done.signal()
        }.start()
    }

    func join() { done.wait() }
}
