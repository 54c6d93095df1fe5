/// A number of bytes written as digits with an optional suffix K, M or G (powers of 1024).
struct ByteSize: Hashable, Comparable, Sendable {
    let bytes: Int

    init(bytes: Int) { self.bytes = bytes }

    /// Parses "65536", "64K", "4M" or "1G", either case; nil for anything else and for what does not fit.
    init?(_ text: String) {
        var digits = Substring(text)
        var shift = 0
        switch digits.last {
        case "K", "k": shift = 10
        case "M", "m": shift = 20
        case "G", "g": shift = 30
        default: break
        }
        if shift != 0 { digits.removeLast() }
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(digits) else {
            return nil
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
        guard !overflow else { return nil }
        self.bytes = bytes
    }

    static func < (a: ByteSize, b: ByteSize) -> Bool { a.bytes < b.bytes }
}

extension ByteSize: CustomStringConvertible {
    var description: String {
        for (shift, suffix) in [(30, "G"), (20, "M"), (10, "K")] where bytes > 0 && bytes & (1 << shift - 1) == 0 {
            return "\(bytes >> shift)\(suffix)"
        }
        return "\(bytes)"
    }
}
