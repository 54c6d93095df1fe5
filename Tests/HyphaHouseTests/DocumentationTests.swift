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

    /// The name in statistics: snake_case; capitals in a row are one word.
    static func snakeCase(_ name: String) -> String {
        var previous: Character = "_"
        return name.reduce(into: "") { text, next in
            text += next.isUppercase && !previous.isUppercase ? "_" + next.lowercased() : next.lowercased()
            previous = next
        }
    }

    /// What stands in backquotes in the first column of a document's tables, with what follows on the line.
    static func entries(_ path: String) throws -> [String: String] {
        let file = try #require(ProjectTree.file(path), "\(path) is missing")
        var entries: [String: String] = [:]
        for line in file.lines where line.hasPrefix("| `") {
            let row = line.dropFirst(3)
            guard let end = row.firstIndex(of: "`") else { continue }
            let rest = row[row.index(after: end)...]
            entries[String(row[..<end])] = rest.trimmingCharacters(in: CharacterSet(charactersIn: "| "))
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

    /// The names that a table of the control plane gives its counters: `("name", value)`.
    static func namedCounters(in path: String) throws -> [String] {
        let text = try #require(ProjectTree.file(path)).text
        let pair = try NSRegularExpression(pattern: #"\("([a-z0-9_]+)", [a-zA-Z0-9]+\)"#)
        return pair.matches(in: text, range: NSRange(text.startIndex..., in: text)).compactMap { match in
            Range(match.range(at: 1), in: text).map { String(text[$0]) }
        }
    }

    static let controlTables = [
        "Sources/HyphaControl/ControlCounters.swift", "Sources/HyphaControl/HandshakeCounters.swift",
        "Sources/HyphaControl/DiscoveryCounters.swift",
    ]

    /// What the router reports: its counters, what it could not read, and the levels of its tables.
    static func routerNames() throws -> [String] {
        let tables = "Sources/HyphaRouting/RouterSizes.swift"
        let text = try #require(ProjectTree.file(tables)).text
        let levels = text.matches(of: /"(table_[a-z_]+)"/).map { String($0.1) }
        #expect(levels.count >= 8)
        return try cases(in: "Sources/HyphaRouting/RouterCounter.swift").map(snakeCase)
            + cases(in: "Sources/HyphaWire/BabelTLVRefusal.swift").map { "unreadable_" + snakeCase($0) } + levels
    }

    @Test func everyCounterOfTheRouterIsExplained() throws {
        let names = try Self.routerNames()
        #expect(names.count >= 50)
        let entries = try Self.entries("docs/counters.md")
        for name in names {
            let explanation = entries[name] ?? ""
            #expect(explanation.split(separator: " ").count >= 3, "docs/counters.md does not explain \(name)")
        }
    }

    @Test(arguments: controlTables) func everyCounterOfControlIsExplained(path: String) throws {
        let names = try Self.namedCounters(in: path)
        #expect(names.count >= 13)
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
                + Self.cases(in: "Sources/HyphaPacket/WorkerCounters.swift").map(Self.snakeCase)
                + Self.controlTables.flatMap(Self.namedCounters) + Self.routerNames())
        // A level that the workers report beside their rows.
        let levels: Set<String> = ["waiting"]
        for name in try Self.entries("docs/counters.md").keys where !levels.contains(name) {
            #expect(known.contains(name), "docs/counters.md explains \(name), which no code counts")
        }
    }

    /// Every key that the program reads stands in the sample configuration, with a comment above it.
    @Test func everyConfigurationKeyIsExplained() throws {
        let table = try #require(ProjectTree.file("Sources/hypha/Configuration/ConfigurationKeys.swift")).text
        let sample = try #require(ProjectTree.file("config/hypha.toml")).lines
        let entry = try NSRegularExpression(pattern: #"\.(?:\w+)\(\s*\.(\w+), "(\w+)""#)
        let matches = entry.matches(in: table, range: NSRange(table.startIndex..., in: table))
        #expect(matches.count >= 20)
        for match in matches {
            guard let section = Range(match.range(at: 1), in: table), let key = Range(match.range(at: 2), in: table)
            else {
                continue
            }
            let line = sample.firstIndex { $0.drop { "# ".contains($0) }.hasPrefix("\(table[key]) =") }
            let above = line.flatMap { $0 > 0 ? sample[$0 - 1] : nil }
            #expect(above?.hasPrefix("#") == true, "config/hypha.toml does not explain \(table[section]).\(table[key])")
        }
    }

    /// Links from the README and from one document to another lead somewhere.
    @Test func linksBetweenDocumentsLead() throws {
        let documents = ["README.md"].compactMap(ProjectTree.file) + ProjectTree.files(in: "docs", extensions: ["md"])
        #expect(documents.count >= 4)
        let link = try NSRegularExpression(pattern: #"\]\(([^)#:]+)(?:#[^)]*)?\)"#)
        var found = 0
        for document in documents {
            let text = document.text
            for match in link.matches(in: text, range: NSRange(text.startIndex..., in: text)) {
                guard let range = Range(match.range(at: 1), in: text) else { continue }
                let folder = URL(fileURLWithPath: document.path, relativeTo: ProjectTree.root)
                    .deletingLastPathComponent()
                let target = folder.appendingPathComponent(String(text[range])).path
                #expect(FileManager.default.fileExists(atPath: target), "\(document.path) links to \(text[range])")
                found += 1
            }
        }
        #expect(found >= 5)
    }

    /// Sections of docs/protocol.md that comments in the code refer to.
    @Test func quotedSectionsOfTheProtocolExist() throws {
        let document = try #require(ProjectTree.file("docs/protocol.md"), "docs/protocol.md is missing")
        let headings = document.lines.filter { $0.hasPrefix("#") }.map { $0.drop { $0 == "#" || $0 == " " } }
        let quote = try NSRegularExpression(pattern: #"docs/protocol\.md,\s+"([^"]+)""#)
        let sources =
            ProjectTree.files(in: "Sources") + ProjectTree.files(in: "Bench") + ProjectTree.files(in: "Tests")
            + ProjectTree.files(in: "CShims", extensions: ["c", "h"])
        for file in sources {
            // A quote may go on in the next line of a comment.
            let text = file.lines.map { $0.trimmingCharacters(in: CharacterSet(charactersIn: " /*")) }
                .joined(separator: " ")
            for match in quote.matches(in: text, range: NSRange(text.startIndex..., in: text)) {
                guard let range = Range(match.range(at: 1), in: text) else { continue }
                #expect(headings.contains { $0 == text[range] }, "\(file.path) quotes \(text[range])")
            }
        }
    }
}
