import Foundation
import Testing

/// Entries of Tests/Vectors/hl1.json.
enum Vectors {
    private static let file = Result {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Vectors").appending(path: "hl1.json")
        return try JSONDecoder().decode(JSON.self, from: Data(contentsOf: file))["entries"].array()
    }

    /// The entries of one kind; an error when there are none.
    static func hl1(_ kind: String) throws -> [JSON] {
        let entries = try file.get().filter { try $0["kind"].string() == kind }
        try #require(!entries.isEmpty)
        return entries
    }
}
