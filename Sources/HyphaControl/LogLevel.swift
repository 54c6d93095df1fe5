/// How much a log line matters.
public enum LogLevel: String, Sendable {
    case error, warning, info, debug
}
