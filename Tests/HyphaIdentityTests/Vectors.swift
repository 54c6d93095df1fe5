import Foundation
import Testing

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
