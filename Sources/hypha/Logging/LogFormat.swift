/// Shape of a log line.
enum LogFormat: String, CaseIterable, Sendable {
    case text, json
}
