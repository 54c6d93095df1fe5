import Foundation

/// The sample configurations of the project.
enum SampleFile {
    static func text(_ name: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent("config/\(name)"), encoding: .utf8)
    }

    /// Lines of config/hypha.toml that hold a key or a table header behind their comment mark.
    static func commentedSettings() throws -> [String] {
        try text("hypha.toml").split(separator: "\n").filter(isCommentedSetting).map { String($0.dropFirst()) }
    }

    /// config/hypha.toml with the comment marks of all keys and tables removed.
    static func uncommented() throws -> String {
        try text("hypha.toml").split(separator: "\n", omittingEmptySubsequences: false)
            .map { isCommentedSetting($0) ? String($0.dropFirst()) : String($0) }.joined(separator: "\n")
    }

    /// Explanations have a blank behind their #, settings have none.
    private static func isCommentedSetting(_ line: Substring) -> Bool {
        guard line.hasPrefix("#"), let second = line.dropFirst().first else { return false }
        return second != " "
    }
}
