import Foundation
import Glibc

/// A program in the background, in a network namespace or not. Its output goes to files, so that it never waits for us.
final class RunningProgram: Sendable {
    let title: String
    private let process: Process
    private let outputFile: URL
    private let errorFile: URL

    /// Starts `words`; `space` is the namespace. `ip netns exec` becomes the program, so signals reach it.
    init(_ words: [String], in space: String? = nil, folder: URL) throws {
        title = words.joined(separator: " ")
        let all = space.map { ["ip", "netns", "exec", $0] + words } ?? words
        guard let first = all.first, let path = first.hasPrefix("/") ? first : SystemRequirements.find(first) else {
            throw SystemTestError("nothing to run in \(title)")
        }
        let name = UUID().uuidString
        outputFile = folder.appendingPathComponent("\(name).out")
        errorFile = folder.appendingPathComponent("\(name).err")
        for file in [outputFile, errorFile] { try Data().write(to: file) }
        process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = Array(all.dropFirst())
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: outputFile)
        process.standardError = try FileHandle(forWritingTo: errorFile)
        try RunningProgram.withoutBlockedSignals { try process.run() }
    }

    /// Tests run on threads that block signals, and a child inherits that: tcpdump and ping would not hear SIGINT.
    private static func withoutBlockedSignals(_ body: () throws -> Void) rethrows {
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try body()
    }

    var pid: pid_t { process.processIdentifier }
    var isRunning: Bool { process.isRunning }
    var output: String { (try? String(decoding: Data(contentsOf: outputFile), as: UTF8.self)) ?? "" }
    var errors: String { (try? String(decoding: Data(contentsOf: errorFile), as: UTF8.self)) ?? "" }

    func signal(_ number: Int32) { if process.isRunning { Glibc.kill(pid, number) } }

    /// The exit code; for an end by a signal 128 and its number, as a shell has it. Nil when it still runs.
    func exitCode(within seconds: Double) -> Int32? {
        let ended: Bool? = Clock.wait(seconds) { process.isRunning ? nil : true }
        guard ended == true else { return nil }
        return process.terminationReason == .uncaughtSignal
            ? 128 + process.terminationStatus : process.terminationStatus
    }

    /// The first line of the output or the error output that contains `text`, of those after the first `skipping`
    /// characters of both.
    func line(containing text: String, within seconds: Double, skipping: (output: Int, errors: Int) = (0, 0)) throws
        -> String
    {
        let found: String? = Clock.wait(seconds) {
            for part in [output.dropFirst(skipping.output), errors.dropFirst(skipping.errors)] {
                // Only whole lines.
                let lines = part.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
                if let line = lines.first(where: { $0.contains(text) }) { return String(line) }
            }
            return isRunning ? nil : ""
        }
        guard let found, !found.isEmpty else {
            throw SystemTestError("no \"\(text)\" within \(seconds) s from \(title):\n\(output)\(errors)")
        }
        return found
    }

    /// Ends it for good.
    func stop() {
        guard process.isRunning else { return }
        signal(SIGKILL)
        process.waitUntilExit()
    }
}
