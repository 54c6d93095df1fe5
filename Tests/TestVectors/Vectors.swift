import Foundation

/// The vector files of Tests/Vectors.
public enum Vectors {
    private static let hl1File = Result { try load("hl1.json")["entries"].array() }

    /// A whole file.
    public static func load(_ name: String) throws -> JSON {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Vectors").appending(path: name)
        return try JSONDecoder().decode(JSON.self, from: Data(contentsOf: file))
    }

    /// The entries of one kind in hl1.json; an error when there are none.
    public static func hl1(_ kind: String) throws -> [JSON] {
        let entries = try hl1File.get().filter { try $0["kind"].string() == kind }
        guard !entries.isEmpty else { throw JSON.Missing() }
        return entries
    }

    /// The entry of kind "handshake" with that name.
    public static func handshake(_ name: String) throws -> JSON {
        guard let entry = try hl1("handshake").first(where: { try $0["name"].string() == name }) else {
            throw JSON.Missing()
        }
        return entry
    }
}
