import Glibc

/// Whole lines for whoever watches the program.
enum Console {
    static func say(_ line: String) { write(line, to: 1) }

    static func warn(_ line: String) { write("stock-node: \(line)", to: 2) }

    private static func write(_ line: String, to descriptor: Int32) {
        var bytes = Array((line + "\n").utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 || errno == EINTR else { return }
            bytes = bytes.dropFirst(max(count, 0))
        }
    }
}
