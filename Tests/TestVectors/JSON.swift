import HyphaBase

/// A value out of the vector files.
public enum JSON: Decodable, Sendable {
    case null
    case bool(Bool)
    case number(UInt64)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    public init(from decoder: any Decoder) throws {
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

    public subscript(key: String) -> JSON {
        if case .object(let values) = self { return values[key] ?? .null }
        return .null
    }

    public var isNull: Bool { if case .null = self { true } else { false } }

    public func string() throws -> String {
        guard case .string(let value) = self else { throw Missing() }
        return value
    }

    public func bytes() throws -> [UInt8] {
        guard let value = Hex.decode(try string()) else { throw Missing() }
        return value
    }

    public func bool() throws -> Bool {
        guard case .bool(let value) = self else { throw Missing() }
        return value
    }

    public func array() throws -> [JSON] {
        guard case .array(let value) = self else { throw Missing() }
        return value
    }

    public func number<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) throws -> Value {
        guard case .number(let wide) = self, let value = Value(exactly: wide) else { throw Missing() }
        return value
    }

    public func object() throws -> [String: JSON] {
        guard case .object(let value) = self else { throw Missing() }
        return value
    }

    /// A vector file lacks what a test asks for.
    public struct Missing: Error {
        public init() {}
    }
}
