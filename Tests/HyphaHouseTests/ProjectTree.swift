import Foundation

/// The project's own files, read as text.
enum ProjectTree {
    /// One file.
    struct File {
        /// Path from the project's root.
        let path: String
        let text: String
        /// File name without extension.
        var name: String { URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent }
        var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
        /// The text with comments and the contents of string literals blanked out, line numbers kept.
        var code: String { ProjectTree.withoutCommentsAndStrings(text) }
    }

    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// All files below `folder` with one of these extensions, in the order of their paths.
    static func files(in folder: String, extensions: Set<String> = ["swift"]) -> [File] {
        let start = root.appendingPathComponent(folder)
        let paths = FileManager.default.enumerator(atPath: start.path)?.compactMap { $0 as? String } ?? []
        return paths.sorted().compactMap { path in
            guard extensions.contains(URL(fileURLWithPath: path).pathExtension) else { return nil }
            return file("\(folder)/\(path)")
        }
    }

    static func file(_ path: String) -> File? {
        (try? String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)).map { File(path: path, text: $0) }
    }

    /// Names of the folders in `folder`.
    static func folders(in folder: String) -> [String] {
        let entries = try? FileManager.default.contentsOfDirectory(
            at: root.appendingPathComponent(folder), includingPropertiesForKeys: [.isDirectoryKey])
        return (entries ?? []).filter { (try? $0.resourceValues(forKeys: [.isDirectoryKey]).isDirectory) == true }
            .map(\.lastPathComponent).sorted()
    }

    static func withoutCommentsAndStrings(_ text: String) -> String {
        enum Place { case code, lineComment, blockComment, string, longString }
        var place = Place.code
        var out: [UInt8] = []
        let bytes = Array(text.utf8)
        func starts(_ token: String, at i: Int) -> Bool { bytes[i...].starts(with: token.utf8) }
        var i = 0
        while i < bytes.count {
            let newline = bytes[i] == UInt8(ascii: "\n")
            var taken = 1
            var keep = false
            switch place {
            case .code:
                if starts("//", at: i) {
                    place = .lineComment
                } else if starts("/*", at: i) {
                    place = .blockComment
                } else if starts("\"\"\"", at: i) {
                    (place, taken) = (.longString, 3)
                } else if starts("\"", at: i) {
                    place = .string
                } else {
                    keep = true
                }
            case .lineComment:
                if newline { place = .code }
            case .blockComment:
                if starts("*/", at: i) { (place, taken) = (.code, 2) }
            case .string:
                if starts("\\", at: i) { taken = 2 } else if starts("\"", at: i) || newline { place = .code }
            case .longString:
                if starts("\"\"\"", at: i) { (place, taken) = (.code, 3) }
            }
            if keep || newline { out.append(bytes[i]) } else { out += [UInt8](repeating: 32, count: taken) }
            i += taken
        }
        return String(decoding: out, as: UTF8.self)
    }
}
