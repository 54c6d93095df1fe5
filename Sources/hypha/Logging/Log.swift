internal import Glibc
internal import HyphaBase
internal import Synchronization

/// What the control side has to say, line by line. Not for packet paths: a line allocates and takes a lock.
///
/// | destination | text | JSON |
/// |---|---|---|
/// | terminal, file | `2026-11-23T10:11:12.345Z info  message` | `{"time":...,"level":...,"kind":...,"message":...}` |
/// | systemd's journal | `<6>message` | `<6>{...}` |
///
/// Each kind of message may come 20 times at once and 10 times a second after that; what is over the limit is counted
/// and the next line of the kind says how many were suppressed. Kinds are written in the code, so there are few.
/// Secrets never belong in a message.
final class Log: Sendable {
    private struct Kind {
        var allowance: TokenBucket
        var suppressed = 0
        var level: LogLevel
    }

    let level: LogLevel
    private let format: LogFormat
    private let isJournal: Bool
    private let clock: @Sendable () -> LogMoment
    private let write: @Sendable (String) -> Void
    private let kinds = Mutex<[String: Kind]>([:])

    /// `write` receives complete lines with their line feed, one call for each, possibly from several threads at once.
    init(
        level: LogLevel, format: LogFormat, isJournal: Bool = false,
        clock: @escaping @Sendable () -> LogMoment = LogMoment.now, write: @escaping @Sendable (String) -> Void
    ) {
        self.level = level
        self.format = format
        self.isJournal = isJournal
        self.clock = clock
        self.write = write
    }

    /// To standard error, in the journal's form when it leads there.
    convenience init(_ configuration: Configuration.Logging) {
        self.init(
            level: configuration.level, format: configuration.format, isJournal: StandardError.isJournal,
            write: StandardError.write)
    }

    /// Something failed and stays so until someone acts.
    func error(_ kind: StaticString, _ message: @autoclosure () -> String) { add(.error, kind, message) }
    /// Something is wrong, the program goes on.
    func warning(_ kind: StaticString, _ message: @autoclosure () -> String) { add(.warning, kind, message) }
    /// What an operator wants to know without asking.
    func info(_ kind: StaticString, _ message: @autoclosure () -> String) { add(.info, kind, message) }
    /// What helps to find a fault.
    func debug(_ kind: StaticString, _ message: @autoclosure () -> String) { add(.debug, kind, message) }

    /// Logs how many lines of each kind were suppressed and not yet mentioned. Call it now and then and at the end.
    func reportSuppressed() {
        let moment = clock()
        let pending = kinds.withLock { kinds in
            kinds.filter { $0.value.suppressed > 0 }.sorted { $0.key < $1.key }.map { name, kind in
                kinds[name]?.suppressed = 0
                return (name, kind)
            }
        }
        for (name, kind) in pending {
            write(line(moment, kind.level, name, "\(kind.suppressed) suppressed (\(name))"))
        }
    }

    private func add(_ level: LogLevel, _ kind: StaticString, _ message: () -> String) {
        guard level <= self.level else { return }
        let moment = clock()
        let name = kind.description
        let suppressed: Int? = kinds.withLock { kinds in
            var entry =
                kinds[name] ?? Kind(allowance: TokenBucket(rate: 10, burst: 20, now: moment.instant), level: level)
            defer { kinds[name] = entry }
            entry.level = level
            guard entry.allowance.take(now: moment.instant) else {
                entry.suppressed += 1
                return nil
            }
            defer { entry.suppressed = 0 }
            return entry.suppressed
        }
        guard let suppressed else { return }
        let text = message()
        write(line(moment, level, name, suppressed == 0 ? text : "\(text) (\(suppressed) suppressed)"))
    }

    private func line(_ moment: LogMoment, _ level: LogLevel, _ kind: String, _ message: String) -> String {
        let priority = isJournal ? "<\(level.priority)>" : ""
        switch format {
        case .json:
            let fields = [
                ("time", moment.timestamp), ("level", level.rawValue), ("kind", kind), ("message", message),
            ]
            return priority + "{" + fields.map { "\"\($0.0)\":\(JSONText.quote($0.1))" }.joined(separator: ",") + "}\n"
        case .text where isJournal:
            return priority + PrintableText.escape(message) + "\n"
        case .text:
            let pad = String(repeating: " ", count: max(0, 5 - level.label.count))
            return "\(moment.timestamp) \(level.label)\(pad) \(PrintableText.escape(message))\n"
        }
    }
}
