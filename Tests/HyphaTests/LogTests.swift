import Foundation
import HyphaBase
import Testing

@testable import hypha

private func makeLog(
    _ level: LogLevel, _ format: LogFormat = .text, isJournal: Bool = false, clock: TestClock = TestClock()
) -> (Log, Captured) {
    let captured = Captured()
    let log = Log(level: level, format: format, isJournal: isJournal, clock: clock.read) { captured.add($0) }
    return (log, captured)
}

private func logOneOfEach(_ log: Log) {
    log.error("a", "one")
    log.warning("b", "two")
    log.info("c", "three")
    log.debug("d", "four")
}

@Test func textLinesHaveTimeAndLevel() {
    let (log, captured) = makeLog(.debug)
    logOneOfEach(log)
    #expect(
        captured.lines == [
            "2026-11-23T10:11:12.345Z error one", "2026-11-23T10:11:12.345Z warn  two",
            "2026-11-23T10:11:12.345Z info  three", "2026-11-23T10:11:12.345Z debug four",
        ])
}

@Test func levelsHideWhatIsLessImportant() {
    for (count, level) in [LogLevel.error, .warning, .info, .debug].enumerated() {
        let (log, captured) = makeLog(level)
        logOneOfEach(log)
        #expect(captured.lines.count == count + 1)
    }
    let (log, _) = makeLog(.info)
    var isMade = false
    func message() -> String {
        isMade = true
        return "made"
    }
    log.debug("hidden", message())
    #expect(!isMade)
}

@Test func journalLinesHavePriorities() {
    let (log, captured) = makeLog(.debug, isJournal: true)
    logOneOfEach(log)
    #expect(captured.lines == ["<3>one", "<4>two", "<6>three", "<7>four"])
}

@Test func jsonLinesAreObjects() throws {
    let (log, captured) = makeLog(.info, .json)
    let text = "quote \" backslash \\ line\nfeed tab\t bell \u{7} é 😀 separator \u{2028}"
    log.info("some_kind", text)
    let lines = captured.lines
    #expect(lines.count == 1)
    let object = try JSONDecoder().decode([String: String].self, from: Data(lines[0].utf8))
    #expect(
        object == ["time": "2026-11-23T10:11:12.345Z", "level": "info", "kind": "some_kind", "message": text])
    #expect(lines[0].hasPrefix("{\"time\":"))
    let (journal, prefixed) = makeLog(.info, .json, isJournal: true)
    journal.warning("k", "m")
    #expect(prefixed.text.hasPrefix("<4>{\"time\":"))
}

@Test func foreignTextCannotForgeLines() {
    let (log, captured) = makeLog(.info)
    log.info("k", "peer \"x\"\n2026-11-23T10:11:12.345Z error forged\u{1B}[31m\u{202E}")
    #expect(captured.lines.count == 1)
    #expect(captured.text.contains("\\u{a}2026") && captured.text.contains("\\u{1b}[31m\\u{202e}"))
}

@Test func eachKindIsLimitedAndCountsWhatItLeavesOut() {
    let clock = TestClock()
    let (log, captured) = makeLog(.info, clock: clock)
    for i in 0..<50 { log.info("flood", "line \(i)") }
    log.info("other", "still heard")
    #expect(captured.lines.count == 21)
    #expect(captured.lines.last?.hasSuffix("info  still heard") == true)
    clock.advance(milliseconds: 100)
    log.info("flood", "again")
    #expect(captured.lines.last?.hasSuffix("info  again (30 suppressed)") == true)
    log.info("flood", "too soon")
    clock.advance(milliseconds: 100)
    log.info("flood", "later")
    #expect(captured.lines.last?.hasSuffix("info  later (1 suppressed)") == true)
    #expect(captured.lines.count == 23)
}

@Test func suppressedLinesAreReportedAtTheEnd() {
    let (log, captured) = makeLog(.info)
    log.reportSuppressed()
    #expect(captured.text.isEmpty)
    for _ in 0..<25 { log.warning("z_kind", "line") }
    for _ in 0..<22 { log.info("a_kind", "line") }
    log.reportSuppressed()
    #expect(
        captured.lines.suffix(2) == [
            "2026-11-23T10:11:12.345Z info  2 suppressed (a_kind)",
            "2026-11-23T10:11:12.345Z warn  5 suppressed (z_kind)",
        ])
    let count = captured.lines.count
    log.reportSuppressed()
    #expect(captured.lines.count == count)
}

@Test(arguments: [
    (0 as Int64, "1970-01-01T00:00:00.000Z"), (951_782_400_001, "2000-02-29T00:00:00.001Z"),
    (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
])
func timestampsAreRFC3339(milliseconds: Int64, text: String) {
    #expect(LogMoment(unixMilliseconds: milliseconds, instant: .zero).timestamp == text)
}

@Test func severalThreadsWriteWholeLines() async {
    let (log, captured) = makeLog(.info)
    await withTaskGroup(of: Void.self) { group in
        for _ in 0..<8 {
            group.addTask { for _ in 0..<100 { log.info("k", "message") } }
        }
    }
    #expect(captured.lines.count == 20)
    log.reportSuppressed()
    #expect(captured.lines.last?.hasSuffix("780 suppressed (k)") == true)
}

@Test func theJournalIsKnownByDeviceAndInode() throws {
    let folder = try TemporaryFolder()
    let file = try FileDescriptor.open(try folder.write("stream", []), O_RDONLY)
    let status = try file.status()
    let name = "\(status.st_dev):\(status.st_ino)"
    #expect(StandardError.isStream(file.raw, named: name))
    #expect(!StandardError.isStream(file.raw, named: name + "0"))
    #expect(!StandardError.isStream(file.raw, named: ""))
    #expect(!StandardError.isStream(-1, named: name))
}
