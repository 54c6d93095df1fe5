import Foundation

/// Files below Tests/Vectors.
enum VectorFile {
    static func data(_ name: String) throws -> Data {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        return try Data(contentsOf: folder.appendingPathComponent("Vectors/\(name)"))
    }
}
