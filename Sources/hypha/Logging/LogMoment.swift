internal import Glibc
internal import HyphaBase

/// The time of a log line on two clocks: the calendar's for the reader, a monotonic one for rate limits.
struct LogMoment: Sendable {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    let unixMilliseconds: Int64
    let instant: Instant

    static func now() -> LogMoment {
        var wall = timespec()
        var steady = timespec()
        clock_gettime(CLOCK_REALTIME, &wall)
        clock_gettime(CLOCK_MONOTONIC, &steady)
        return LogMoment(
            unixMilliseconds: Int64(wall.tv_sec) * 1000 + Int64(wall.tv_nsec) / 1_000_000,
            instant: Instant(nanoseconds: UInt64(steady.tv_sec) * 1_000_000_000 + UInt64(steady.tv_nsec)))
    }

    /// RFC 3339 with milliseconds, in UTC.
    var timestamp: String {
        var seconds = time_t(unixMilliseconds / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func digits(_ number: Int64, _ count: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let date = [Int64(parts.tm_year) + 1900, Int64(parts.tm_mon) + 1, Int64(parts.tm_mday)]
        let time = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { digits(Int64($0), 2) }.joined(separator: ":")
        return digits(date[0], 4) + "-" + digits(date[1], 2) + "-" + digits(date[2], 2) + "T" + time + "."
            + digits(unixMilliseconds % 1000, 3) + "Z"
    }
}
