/// One value as a file or a flag gives it.
enum ConfigurationValue: Sendable {
    case boolean(Bool)
    case integer(Int64)
    case text(String)
    /// A value of a kind that no key takes.
    case other(kind: String)

    init(_ content: TOMLNode.Content) {
        self =
            switch content {
            case .boolean(let value): .boolean(value)
            case .integer(let value): .integer(value)
            case .text(let value): .text(value)
            case .float: .other(kind: "a number with a fraction")
            case .dateTime: .other(kind: "a date or time")
            case .array: .other(kind: "a list")
            case .table: .other(kind: "a table")
            }
    }
}

extension ConfigurationValue: CustomStringConvertible {
    /// For "must be ..., not ...".
    var description: String {
        switch self {
        case .boolean(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .text(let value): PrintableText.quote(value)
        case .other(let kind): kind
        }
    }
}
