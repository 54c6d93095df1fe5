import Glibc

/// What this process has used so far.
struct ProcessUsage {
    var cpuMilliseconds: UInt64 = 0
    var peakKibibytes = 0

    static var current: ProcessUsage {
        var usage = ProcessUsage()
        var time = timespec()
        if clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 {
            usage.cpuMilliseconds = UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
        }
        usage.peakKibibytes = peak()
        return usage
    }

    /// VmHWM of /proc/self/status, in KiB; 0 where there is none.
    private static func peak() -> Int {
        guard let file = fopen("/proc/self/status", "r") else { return 0 }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var size = 0
        defer { free(line) }
        while getline(&line, &size, file) > 0 {
            guard let line else { break }
            let words = String(cString: line).split(whereSeparator: \.isWhitespace)
            if words.first == "VmHWM:", words.count > 1 { return Int(words[1]) ?? 0 }
        }
        return 0
    }
}
