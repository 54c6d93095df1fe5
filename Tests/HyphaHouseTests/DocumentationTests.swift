import Foundation
import Testing

/// What users meet by name is explained by name.
@Suite struct DocumentationTests {
    /// Cases of an enum as a source file spells them.
    static func cases(in path: String) throws -> [String] {
        let file = try #require(ProjectTree.file(path))
        return file.code.split(separator: "\n").flatMap { line -> [String] in
            let words = line.trimmingCharacters(in: .whitespaces)
            guard words.hasPrefix("case ") else { return [] }
            return words.dropFirst(5).split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }

    /// The name in statistics: snake_case.
    static func snakeCase(_ name: String) -> String {
        name.reduce(into: "") { $0 += $1.isUppercase ? "_" + $1.lowercased() : String($1) }
    }

    /// Words that stand in backquotes at the beginning of table rows or list items, with what follows on the line.
    static func entries(_ path: String) throws -> [String: String] {
        let file = try #require(ProjectTree.file(path), "\(path) is missing")
        var entries: [String: String] = [:]
        for line in file.lines {
            let row = line.drop { $0 == "|" || $0 == " " || $0 == "-" || $0 == "*" }
            guard row.first == "`", let end = row.dropFirst().firstIndex(of: "`") else { continue }
            let rest = row[row.index(after: end)...]
            entries[String(row[row.index(after: row.startIndex)..<end])] =
                rest.trimmingCharacters(in: CharacterSet(charactersIn: "| :-"))
        }
        return entries
    }

    @Test(arguments: [
        ("Sources/HyphaPacket/DropReason.swift", 20), ("Sources/HyphaPacket/WorkerCounters.swift", 10),
    ])
    func everyCounterIsExplained(path: String, least: Int) throws {
        let names = try Self.cases(in: path).map(Self.snakeCase)
        #expect(names.count >= least)
        let entries = try Self.entries("docs/counters.md")
        for name in names {
            let explanation = entries[name] ?? ""
            #expect(explanation.split(separator: " ").count >= 3, "docs/counters.md does not explain \(name)")
        }
    }

    /// Nothing is explained that no longer exists.
    @Test func everyExplainedCounterExists() throws {
        let known = Set(
            try Self.cases(in: "Sources/HyphaPacket/DropReason.swift").map(Self.snakeCase)
                + Self.cases(in: "Sources/HyphaPacket/WorkerCounters.swift").map(Self.snakeCase))
        let text = try #require(ProjectTree.file("docs/counters.md")).text
        let sections = text.components(separatedBy: "\n## ")
        let entries = try Self.entries("docs/counters.md")
        #expect(sections.count > 2)
        let other: Set<String> = ["waiting"]
        for name in entries.keys where !other.contains(name) {
            #expect(known.contains(name), "docs/counters.md explains \(name), which no code counts")
        }
    }
}
