internal import CToml

/// A parsed TOML 1.0 document: a flat list of nodes, the root table first, children in the order of the text.
struct TOMLDocument: Sendable {
    let nodes: [TOMLNode]

    /// Parses UTF-8 text.
    init(parsing bytes: [UInt8]) throws(TOMLError) {
        var failure = chy_toml_error()
        let parsed = bytes.withUnsafeBytes { buffer in
            chy_toml_parse(buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count, &failure)
        }
        guard let parsed else {
            throw TOMLError(position: Self.position(failure.place), message: Self.message(of: failure))
        }
        defer { chy_toml_free(parsed) }
        var nodes: [TOMLNode] = []
        nodes.reserveCapacity(chy_toml_node_count(parsed))
        while let node = chy_toml_node_at(parsed, nodes.count) {
            nodes.append(Self.node(node.pointee))
        }
        self.nodes = nodes
    }

    /// Entries of the document's outermost table.
    var entries: ArraySlice<TOMLNode> {
        guard case .table(let range)? = nodes.first?.content else { return [] }
        return children(range)
    }

    /// The nodes of a table or an array.
    func children(_ range: Range<Int>) -> ArraySlice<TOMLNode> {
        nodes[range.clamped(to: nodes.startIndex..<nodes.endIndex)]
    }

    private static func node(_ node: chy_toml_node) -> TOMLNode {
        let first = Int(node.first_child)
        let children = first..<(first + Int(node.child_count))
        let content: TOMLNode.Content =
            switch node.kind {
            case CHY_TOML_TABLE: .table(children)
            case CHY_TOML_ARRAY: .array(children)
            case CHY_TOML_STRING: .text(text(node.text))
            case CHY_TOML_INTEGER: .integer(node.integer)
            case CHY_TOML_BOOLEAN: .boolean(node.integer != 0)
            case CHY_TOML_FLOAT: .float
            default: .dateTime
            }
        return TOMLNode(
            key: text(node.key), keyPosition: position(node.key_place), position: position(node.place),
            content: content)
    }

    private static func position(_ place: chy_toml_place) -> TextPosition {
        TextPosition(line: Int(place.line), column: Int(place.column))
    }

    private static func text(_ text: chy_toml_text) -> String {
        guard let bytes = text.bytes else { return "" }
        return String(decoding: UnsafeRawBufferPointer(start: bytes, count: text.count), as: UTF8.self)
    }

    private static func message(of failure: chy_toml_error) -> String {
        var failure = failure
        let text = withUnsafeBytes(of: &failure.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        let lead = "Error while parsing "
        let message = text.hasPrefix(lead) ? String(text.dropFirst(lead.count)) : text
        return "not TOML: " + PrintableText.escape(message)
    }
}
