import Foundation
import HyphaBase
import Testing

/// A value out of the vector files.
enum JSON: Decodable, Sendable {
    case null
    case bool(Bool)
    case number(UInt64)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(UInt64.self) {
            self = .number(value)
        } else if let value = try? container.decode([JSON].self) {
            self = .array(value)
        } else if let value = try? container.decode([String: JSON].self) {
            self = .object(value)
        } else {
            self = .null
        }
    }

    subscript(key: String) -> JSON {
        if case .object(let values) = self { return values[key] ?? .null }
        return .null
    }

    var isNull: Bool { if case .null = self { true } else { false } }

    func string() throws -> String {
        guard case .string(let value) = self else { throw Missing() }
        return value
    }

    func bytes() throws -> [UInt8] {
        guard let value = Hex.decode(try string()) else { throw Missing() }
        return value
    }

    func bool() throws -> Bool {
        guard case .bool(let value) = self else { throw Missing() }
        return value
    }

    func array() throws -> [JSON] {
        guard case .array(let value) = self else { throw Missing() }
        return value
    }

    func number<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) throws -> Value {
        guard case .number(let wide) = self, let value = Value(exactly: wide) else { throw Missing() }
        return value
    }

    func object() throws -> [String: JSON] {
        guard case .object(let value) = self else { throw Missing() }
        return value
    }

    /// A vector file lacks what a test asks for.
    struct Missing: Error {}
}

/// The vector files of Tests/Vectors.
enum Vectors {
    static func load(_ name: String) throws -> JSON {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Vectors").appending(path: name)
        return try JSONDecoder().decode(JSON.self, from: Data(contentsOf: file))
    }

    private static let hl1File = Result { try load("hl1.json")["entries"].array() }

    /// Entries of hl1.json of one kind; an error when there are none.
    static func hl1(_ kind: String) throws -> [JSON] {
        let entries = try hl1File.get().filter { try $0["kind"].string() == kind }
        try #require(!entries.isEmpty)
        return entries
    }

    /// The entry of kind "handshake" with that name.
    static func handshake(_ name: String) throws -> JSON {
        try #require(try hl1("handshake").first { try $0["name"].string() == name })
    }
}
