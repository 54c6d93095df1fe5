import Foundation
import Glibc

/// A program in the background, in a network namespace or not. Its output goes to files, so that it never waits for us.
/// They have no names: nothing is left of them, however the test ends.
final class RunningProgram: Sendable {
    let title: String
    private let process: Process
    private let outputFile: FileHandle
    private let errorFile: FileHandle

    /// Starts `words`; `space` is the namespace. `ip netns exec` becomes the program, so signals reach it.
    init(_ words: [String], in space: String? = nil, folder: URL) throws {
        title = words.joined(separator: " ")
        let all = space.map { ["ip", "netns", "exec", $0] + words } ?? words
        guard let first = all.first, let path = first.hasPrefix("/") ? first : SystemRequirements.find(first) else {
            throw SystemTestError("nothing to run in \(title)")
        }
        outputFile = try RunningProgram.makeFile(folder)
        errorFile = try RunningProgram.makeFile(folder)
        process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = Array(all.dropFirst())
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = outputFile
        process.standardError = errorFile
        try RunningProgram.withoutBlockedSignals { try process.run() }
    }

    /// A file of a folder's file system without a name.
    private static func makeFile(_ folder: URL) throws -> FileHandle {
        var path = Array(folder.appendingPathComponent("output." + String(repeating: "X", count: 6)).path.utf8CString)
        let descriptor = mkstemp(&path)
        guard descriptor >= 0 else {
            throw SystemTestError("no file in \(folder.path): \(String(cString: strerror(errno)))")
        }
        unlink(path)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    /// All of a file. The place at which the program writes stays where it is.
    private static func text(_ file: FileHandle) -> String {
        var bytes: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = pread(file.fileDescriptor, &room, room.count, off_t(bytes.count))
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += room.prefix(count)
        }
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
    var output: String { RunningProgram.text(outputFile) }
    var errors: String { RunningProgram.text(errorFile) }

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
