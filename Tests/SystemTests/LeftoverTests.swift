import Foundation
import Testing

/// Tests leave no files behind.
@Suite struct LeftoverTests {
    private static let scratch = FileManager.default.temporaryDirectory

    private func folder(_ owner: pid_t, _ name: String) throws -> URL {
        let folder = Self.scratch.appendingPathComponent("\(Topology.prefix)\(owner)-\(name)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    @Test func programsHaveNoFilesWithNames() throws {
        let folder = try folder(getpid(), "program")
        defer { try? FileManager.default.removeItem(at: folder) }
        let program = try RunningProgram(
            ["sh", "-c", "echo out; echo err >&2; exec sleep 20"], folder: folder)
        defer { program.stop() }
        #expect(try program.line(containing: "err", within: 5) == "err")
        #expect(program.output == "out\n" && program.errors == "err\n")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        // Longer than what is read at a time, and read while it is written.
        let long = try Command.need(["sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x"], folder: folder)
        #expect(long == String(repeating: "x", count: 300_000))
    }

    @Test func foldersOfProcessesThatEndedGo() throws {
        let ended = try RunningProgram(["true"], folder: Self.scratch)
        #expect(ended.exitCode(within: 5) == 0)
        let old = try folder(ended.pid, "old")
        let own = try folder(getpid(), "own")
        defer { for folder in [old, own] { try? FileManager.default.removeItem(at: folder) } }
        try Data("x".utf8).write(to: old.appendingPathComponent("file"))
        try Topology.removeLeftovers()
        #expect(!FileManager.default.fileExists(atPath: old.path))
        #expect(FileManager.default.fileExists(atPath: own.path))
    }
}
