import Testing

@testable import hypha

private func outline(_ text: String) throws -> [String] {
    let document = try TOMLDocument(parsing: Array(text.utf8))
    return document.nodes.map { node in
        "\(node.key)@\(node.keyPosition.line):\(node.keyPosition.column) "
            + "\(node.content)@\(node.position.line):\(node.position.column)"
    }
}

@Test func tomlNodesStandInTheOrderOfTheTextWithTheirPlaces() throws {
    let text = """
        zeta = "é\\n"
        alpha = [true, -7]
        [table]
          key.inner = 1.5
        [[entry]]
        at = 2026-01-02
        [[entry]]
        """
    #expect(
        try outline(text) == [
            "@0:0 table(Range(1..<5))@1:1",
            "zeta@1:1 text(\"é\\n\")@1:8",
            "alpha@2:1 array(Range(5..<7))@2:9",
            "table@3:2 table(Range(7..<8))@3:1",
            "entry@5:3 array(Range(8..<10))@5:1",
            "@0:0 boolean(true)@2:10",
            "@0:0 integer(-7)@2:16",
            "key@4:3 table(Range(10..<11))@4:3",
            "@0:0 table(Range(11..<12))@5:1",
            "@0:0 table(Range(12..<12))@7:1",
            "inner@4:7 float@4:15",
            "at@6:1 dateTime@6:6",
        ])
}

@Test func anEmptyTextIsATableWithoutEntries() throws {
    let document = try TOMLDocument(parsing: [])
    #expect(document.nodes.count == 1)
    #expect(document.entries.isEmpty)
}

@Test(arguments: [
    ("a = 1\na = 2\n", 2, 5, "redefine"),
    ("[t]\n[u]\n[t]\n", 3, 1, "redefine"),
    ("x = \n", 1, 5, "expected value"),
    ("ok = 1\nx y\n", 2, 3, "expected '='"),
    ("ok = 1\né = 2\n", 2, 1, "expected keys"),
    ("x = \"open\n", 1, 10, "control character"),
    ("x = \"\u{1}\"\n", 1, 6, "control character"),
    ("x = 99999999999999999999\n", 1, 25, "not representable"),
    ("x = [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n", 1, 21, "nested"),
])
func tomlErrorsNameTheirPlace(text: String, line: Int, column: Int, words: String) throws {
    let error = try #require(throws: TOMLError.self) { _ = try TOMLDocument(parsing: Array(text.utf8)) }
    #expect(error.position == TextPosition(line: line, column: column), "\(error)")
    #expect(error.message.hasPrefix("not TOML: "))
    #expect(error.message.contains(words), "\(error.message)")
}

@Test func bytesThatAreNotUTF8AreRefused() throws {
    let error = try #require(throws: TOMLError.self) {
        _ = try TOMLDocument(parsing: Array("x = \"".utf8) + [0xC3, 0x28] + Array("\"\n".utf8))
    }
    #expect(error.position.line == 1)
    #expect(error.message.contains("utf-8"))
}

@Test func deepDottedKeysAreReadOrRefusedButNeverOverflow() throws {
    func dotted(_ parts: Int) -> String { Array(repeating: "a", count: parts).joined(separator: ".") + " = 1\n" }
    #expect(try TOMLDocument(parsing: Array(dotted(2000).utf8)).nodes.count == 2001)
    let error = try #require(throws: TOMLError.self) {
        _ = try TOMLDocument(parsing: Array(("ok = 1\n" + dotted(200_000)).utf8))
    }
    #expect(error.position.line == 2)
    // A deep table before a fault is destroyed by the parser itself.
    #expect(throws: TOMLError.self) { _ = try TOMLDocument(parsing: Array((dotted(2000) + "=\n").utf8)) }
}

@Test func damagedDocumentsNeverTrap() throws {
    let fragments = [
        "[", "]", "[[", "]]", "\"", "'", "\"\"\"", "'''", "=", ".", "{", "}", ",", "\n", "\r\n", "\\u", "\\U0011FFFF",
        "0x",
        "1979-05-27T", "nan", "inf", "+", "_", "#", "é", "\u{85}", "\u{FEFF}", "true", "1e", "\0",
    ]
    let sample = try Array(SampleFile.text("hypha.toml").utf8) + Array(SampleFile.uncommented().utf8)
    var hostile = Hostile(seed: 7)
    var accepted = 0
    for _ in 0..<3000 {
        let start = hostile.number(below: sample.count)
        let piece = Array(sample[start...].prefix(hostile.number(below: 400)))
        let damaged = hostile.damage(piece, fragments: fragments)
        // Whatever is read is consistent: every child lies behind its parent and inside the list.
        guard let document = try? TOMLDocument(parsing: damaged) else { continue }
        accepted += 1
        for (index, node) in document.nodes.enumerated() {
            switch node.content {
            case .table(let range), .array(let range):
                #expect(range.isEmpty || range.lowerBound > index && range.upperBound <= document.nodes.count)
            default: break
            }
        }
    }
    #expect(accepted > 100)
    for _ in 0..<1000 { _ = try? TOMLDocument(parsing: hostile.bytes(hostile.number(below: 200))) }
}
