/// One value of a TOML document, with its key when its parent is a table.
struct TOMLNode: Sendable {
    /// What the node holds; children are indices into `TOMLDocument.nodes`.
    enum Content: Sendable {
        case table(Range<Int>)
        case array(Range<Int>)
        case text(String)
        case integer(Int64)
        case boolean(Bool)
        case float
        case dateTime
    }

    let key: String
    let keyPosition: TextPosition
    let position: TextPosition
    let content: Content
}
