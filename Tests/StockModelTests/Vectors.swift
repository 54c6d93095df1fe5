import Foundation

/// The vector files of Tests/Vectors.
enum Vectors {
    static func load(_ name: String) throws -> JSON {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Vectors").appending(path: name)
        return try JSONDecoder().decode(JSON.self, from: Data(contentsOf: file))
    }
}
