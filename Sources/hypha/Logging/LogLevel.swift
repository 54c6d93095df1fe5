/// How important a log line is, most important first.
enum LogLevel: String, CaseIterable, Comparable, Sendable {
    case error, warning, info, debug

    /// Priority of syslog(3), which systemd's journal reads as a prefix.
    var priority: Int {
        switch self {
        case .error: 3
        case .warning: 4
        case .info: 6
        case .debug: 7
        }
    }

    /// Name in text lines.
    var label: String { self == .warning ? "warn" : rawValue }

    static func < (a: LogLevel, b: LogLevel) -> Bool { a.priority < b.priority }
}
