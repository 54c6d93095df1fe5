import Glibc

/// The file with the 32 bytes of a node's secret key.
enum KeyFile {
    /// Reads the key, or makes a new one when there is no file.
    static func load(_ path: String) throws(Failure) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return try make(path) }
            throw Failure.system("cannot open \(path)", errno)
        }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 32)
        guard read(file, &bytes, 32) == 32 else { throw Failure("\(path) has less than 32 bytes") }
        return bytes
    }

    private static func make(_ path: String) throws(Failure) -> [UInt8] {
        var random = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: 0...255, using: &random) }
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
        guard file >= 0 else { throw Failure.system("cannot create \(path)", errno) }
        defer { close(file) }
        guard write(file, bytes, 32) == 32 else { throw Failure.system("cannot write \(path)", errno) }
        return bytes
    }
}
