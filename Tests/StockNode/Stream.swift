import Glibc

/// A connected socket with a queue of any length in front, as a stock node has it.
final class Stream {
    let descriptor: Int32
    private var queue: [[UInt8]] = []
    /// The first chunk that is not written, and how much of it is.
    private var head = 0
    private var written = 0
    private(set) var isEnded = false

    /// Takes over a non-blocking socket.
    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    var wantsToWrite: Bool { head < queue.count }

    func enqueue(_ bytes: [UInt8]) {
        if !bytes.isEmpty { queue.append(bytes) }
    }

    /// Writes until the kernel takes no more.
    func flush() {
        while wantsToWrite, !isEnded {
            let chunk = queue[head]
            let count = chunk.withUnsafeBytes { raw in
                raw.baseAddress.map { send(descriptor, $0 + written, raw.count - written, Int32(MSG_NOSIGNAL)) }
                    ?? 0
            }
            guard count >= 0 else {
                if errno == EAGAIN { return }
                if errno != EINTR { isEnded = true }
                continue
            }
            written += count
            guard written == chunk.count else { continue }
            queue[head] = []
            head += 1
            written = 0
            if head == queue.count || head > 1_000 {
                queue.removeFirst(head)
                head = 0
            }
        }
    }

    /// What one read gives; nil when there is nothing at the moment.
    func receive(_ buffer: inout [UInt8]) -> [UInt8]? {
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count == 0 || count < 0 && errno != EAGAIN && errno != EINTR { isEnded = true }
        return count > 0 ? Array(buffer[..<count]) : nil
    }
}
