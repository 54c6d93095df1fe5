import Foundation

/// One recorded command of Mycelium.
struct Recording: Decodable {
    let args: [String]
    let exit: Int32
    let stdout: String
    let stderr: String

    /// The recorded key commands by name.
    static func all() throws -> [String: Recording] {
        try JSONDecoder().decode([String: Recording].self, from: VectorFile.data("cli-keys.json"))
    }
}
