import Synchronization

/// Text collected from callbacks of any thread.
final class Captured: Sendable {
    private let storage = Mutex("")

    var text: String { storage.withLock { $0 } }
    var lines: [String] { text.split(separator: "\n").map(String.init) }

    func add(_ text: String) { storage.withLock { $0 += text } }
}
