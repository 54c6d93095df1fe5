import Glibc

/// A directory for the files of one run, gone with `remove`.
struct TemporaryDirectory {
    let path: String

    /// Where temporary files go on this machine.
    static var parent: String {
        guard let value = getenv("TMPDIR"), value.pointee != 0 else { return "/tmp" }
        return String(cString: value)
    }

    /// A path for mkstemp(3) and mkdtemp(3), which put random characters for its last six.
    static var template: [CChar] {
        Array("\(parent)/hypha-bench.\(String(repeating: "X", count: 6))".utf8CString)
    }

    init() throws(BenchError) {
        var template = TemporaryDirectory.template
        guard mkdtemp(&template) != nil else {
            throw .system("cannot make a directory in \(TemporaryDirectory.parent)")
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Writes a file that only this user can read and returns its path.
    func write(_ name: String, _ bytes: [UInt8]) throws(BenchError) -> String {
        let file = "\(path)/\(name)"
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system("cannot write \(file)") }
        defer { close(descriptor) }
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw .system("cannot write \(file)") }
        return file
    }

    /// Removes the directory and the files in it.
    func remove() {
        if let directory = opendir(path) {
            while let entry = readdir(directory) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
                    field.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != ".", name != ".." { unlink("\(path)/\(name)") }
            }
            closedir(directory)
        }
        rmdir(path)
    }
}
