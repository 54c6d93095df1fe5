import Foundation
import Testing

/// The vector files of Tests/Vectors.
enum Vectors {
    private static let file = Result { try load("hl1.json")["entries"].array() }

    static func load(_ name: String) throws -> JSON {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Vectors").appending(path: name)
        return try JSONDecoder().decode(JSON.self, from: Data(contentsOf: file))
    }

    /// The entries of one kind in hl1.json; an error when there are none.
    static func hl1(_ kind: String) throws -> [JSON] {
        let entries = try file.get().filter { try $0["kind"].string() == kind }
        try #require(!entries.isEmpty)
        return entries
    }
}
