import Foundation
import Testing

/// What every source file must look like.
@Suite struct StyleTests {
    static let sources = ProjectTree.files(in: "Sources") + ProjectTree.files(in: "Bench")

    /// Lines of `file` whose code (no comments, no strings) matches, as "path:line".
    static func places(_ file: ProjectTree.File, _ pattern: String) -> [String] {
        guard let expression = try? NSRegularExpression(pattern: pattern) else { return ["bad pattern \(pattern)"] }
        return file.code.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap { i, line in
            let text = String(line)
            let range = NSRange(text.startIndex..., in: text)
            return expression.firstMatch(in: text, range: range) == nil ? nil : "\(file.path):\(i + 1)"
        }
    }

    /// Nothing that comes in from outside may end the process.
    @Test(arguments: [#"\btry!"#, #"\bas!"#, #"\bfatalError\("#, #"[\w\)\]]!(?![=\w])"#])
    func nothingTraps(pattern: String) {
        for file in Self.sources {
            let places = Self.places(file, pattern)
            #expect(places.isEmpty, "\(pattern) in \(places)")
        }
    }

    @Test func thePatternsFindWhatTheyLookFor() {
        let text = "a!.b\nlet x = try! f()\nif !a, b != c, d! == e { }\n// try! x\nlet s = \"as!\"\nvar t: T!\n"
        let file = ProjectTree.File(path: "x", text: text)
        #expect(Self.places(file, #"[\w\)\]]!(?![=\w])"#) == ["x:1", "x:2", "x:3", "x:6"])
        #expect(Self.places(file, #"\btry!"#) == ["x:2"])
        #expect(Self.places(file, #"\bas!"#) == [])
    }

    @Test func filesAreShort() {
        #expect(Self.sources.count > 30)
        for file in Self.sources {
            // A file ends with a newline, which is not a line.
            #expect(file.lines.count - 1 <= 500, "\(file.path) has \(file.lines.count - 1) lines")
        }
    }

    /// A file with public types declares one with its own name. Stages, which are functions, name theirs after what
    /// they do.
    @Test func filesAreNamedAfterTheirTypes() throws {
        let declaration =
            #"^(?:@\w+(?:\([^)]*\))?\s+)*public\s+(?:(?:final|nonisolated|indirect)\s+)*"#
            + #"(?:struct|class|enum|protocol|actor)\s+(\w+)"#
        let expression = try NSRegularExpression(pattern: declaration, options: [.anchorsMatchLines])
        var named = 0
        for file in ProjectTree.files(in: "Sources") where file.name != "main" {
            let code = file.code
            let types = expression.matches(in: code, range: NSRange(code.startIndex..., in: code)).compactMap { match in
                Range(match.range(at: 1), in: code).map { String(code[$0]) }
            }
            #expect(types.isEmpty || types.contains(file.name), "\(file.path) declares \(types)")
            if !types.isEmpty { named += 1 }
        }
        #expect(named > 20)
    }

    /// Paths of one person's machine do not belong into a project.
    @Test func noMachinePaths() {
        let homes = ["ro" + "ot", "wo" + "rk", "Us" + "ers"].map { "/\($0)/" }
        var files = Self.sources + ProjectTree.files(in: "Tests")
        for folder in ["docs", "scripts", "config", "CShims"] {
            files += ProjectTree.files(
                in: folder, extensions: ["md", "sh", "toml", "c", "h", "cpp", "modulemap", "py"])
        }
        files += ["Makefile", "README.md", "Package.swift", ".ci/run"].compactMap(ProjectTree.file)
        #expect(files.count > 60)
        for file in files {
            for home in homes { #expect(!file.text.contains(home), "\(file.path) names \(home)") }
        }
    }

    @Test func nothingIsLeftForLater() {
        for file in Self.sources + ProjectTree.files(in: "Tests")
            + ProjectTree.files(in: "CShims", extensions: ["c", "h"])
        {
            for mark in ["TO" + "DO", "FIX" + "ME", "XX" + "X"] {
                #expect(!file.text.contains(mark), "\(file.path) says \(mark)")
            }
        }
    }

    @Test func formattingIsClean() throws {
        let lint = Process()
        lint.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        lint.arguments =
            ["swift", "format", "lint", "--strict", "--recursive"] + ["Sources", "Tests", "Bench", "Package.swift"]
        lint.currentDirectoryURL = ProjectTree.root
        let output = Pipe()
        lint.standardError = output
        lint.standardOutput = output
        try lint.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        lint.waitUntilExit()
        #expect(lint.terminationStatus == 0, "\(text.split(separator: "\n").prefix(10).joined(separator: "\n"))")
    }
}
