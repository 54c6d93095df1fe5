internal import CKernel

/// The running kernel.
public enum KernelRelease {
    /// Its release as `uname -r` prints it; empty when unknown.
    public static var current: String { read().text }

    /// Its first two numbers; (0, 0) when unknown.
    public static var version: (major: Int, minor: Int) {
        let all = read()
        return (all.major, all.minor)
    }

    private static func read() -> (text: String, major: Int, minor: Int) {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 80) { text in
            guard let start = text.baseAddress else { return ("", 0, 0) }
            var major: Int32 = 0
            var minor: Int32 = 0
            chy_kernel_release(start, text.count, &major, &minor)
            return (String(cString: start), Int(major), Int(minor))
        }
    }
}
