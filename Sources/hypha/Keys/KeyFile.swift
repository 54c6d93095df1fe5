internal import CSodium
internal import Glibc
internal import HyphaIdentity

/// The file with a node's secret key: 32 bytes, as Mycelium writes it. Bytes after the 32nd are ignored.
///
/// Only its owner and its group may have any right to it. A new file appears complete or not at all.
struct KeyFile {
    /// Bytes of a secret key.
    static let secretSize = 32

    let path: String

    /// The identity in the file.
    func load() throws(KeyFileError) -> NodeIdentity {
        var secret: [UInt8]
        let status: stat
        do throws(SystemError) {
            let file = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK)
            status = try file.status()
            secret = try file.read(limit: KeyFile.secretSize)
        } catch {
            throw unreadable(error)
        }
        defer { KeyFile.wipe(&secret) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw KeyFileError("key file \(path) is not a file") }
        guard status.st_mode & 0o007 == 0 else {
            throw KeyFileError(
                "key file \(path) is open to all users (mode \(KeyFile.octal(status.st_mode))): run \"chmod 640 \(path)\""
            )
        }
        guard secret.count == KeyFile.secretSize, let identity = NodeIdentity(secret: secret) else {
            let fault = secret.count == KeyFile.secretSize ? "no usable key" : "\(secret.count) bytes, a key has 32"
            throw KeyFileError(
                "key file \(path) holds \(fault): restore it, or make a new key (and address) with "
                    + "\"hypha generate-keys --force\"")
        }
        return identity
    }

    /// The identity in the file; makes the file when there is none.
    func loadOrCreate() throws(KeyFileError) -> (identity: NodeIdentity, isNew: Bool) {
        do throws(KeyFileError) {
            return (try load(), false)
        } catch  where error.isMissing {
            return (try create(), true)
        }
    }

    /// A new key in a new file, with its folders (mode 0700) when they are missing. An existing file stays as it is and
    /// is an error.
    func create() throws(KeyFileError) -> NodeIdentity {
        try write(mode: 0o600, owner: nil) { temporary throws(SystemError) in
            try KeyFile.move(temporary, to: path)
        }
    }

    /// A new key in place of the old one, which stays beside it as `PATH.old`, `PATH.old.1` and so on. The new file has
    /// the owner and group of the old one, and is readable by the group if that was. Returns where the old key is now,
    /// nil when there was none.
    func replace() throws(KeyFileError) -> (identity: NodeIdentity, old: String?) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            guard errno == ENOENT else { throw unwritable(.last) }
            return (try create(), nil)
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw KeyFileError("key file \(path) is not a file") }
        var old = ""
        let mode = 0o600 | status.st_mode & 0o040
        let identity = try write(mode: mode, owner: (status.st_uid, status.st_gid)) { temporary throws(SystemError) in
            old = try keepOld()
            guard rename(temporary, path) == 0 else { throw .last }
        }
        return (identity, old)
    }

    // MARK: Steps

    /// Writes a new key to a temporary file beside `path` and lets `place` bring it to its name.
    private func write(
        mode: mode_t, owner: (uid_t, gid_t)?, place: (String) throws(SystemError) -> Void
    ) throws(KeyFileError) -> NodeIdentity {
        guard sodium_init() >= 0 else { throw KeyFileError("there is no source of random numbers for a new key") }
        var secret = [UInt8](repeating: 0, count: KeyFile.secretSize)
        defer { KeyFile.wipe(&secret) }
        randombytes_buf(&secret, secret.count)
        guard let identity = NodeIdentity(secret: secret) else {
            throw KeyFileError("a new key is not usable, try again")
        }
        let (folder, name) = KeyFile.split(path)
        let temporary = "\(folder)/.\(name).\(getpid()).new"
        do throws(SystemError) {
            try KeyFile.makeFolder(folder)
            // Left by a process that was killed while it wrote and had the same number.
            unlink(temporary)
            let file = try FileDescriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            do throws(SystemError) {
                if let (user, group) = owner, fchown(file.raw, user, group) != 0 { throw .last }
                guard fchmod(file.raw, mode) == 0 else { throw .last }
                try KeyFile.write(secret, to: file)
                try place(temporary)
            } catch {
                unlink(temporary)
                throw error
            }
            try FileDescriptor.open(folder, O_RDONLY | O_DIRECTORY).synchronize()
        } catch {
            throw unwritable(error)
        }
        return identity
    }

    private static func write(_ secret: [UInt8], to file: borrowing FileDescriptor) throws(SystemError) {
        var failure: SystemError?
        secret.withUnsafeBytes { bytes in
            do throws(SystemError) { try file.write(bytes) } catch { failure = error }
        }
        if let failure { throw failure }
        try file.synchronize()
    }

    /// Gives the present file a second name that is still free.
    private func keepOld() throws(SystemError) -> String {
        for number in 0..<1000 {
            let old = number == 0 ? "\(path).old" : "\(path).old.\(number)"
            if link(path, old) == 0 { return old }
            if errno == EEXIST { continue }
            try KeyFile.checkNoLinks()
            guard access(old, F_OK) != 0 else { continue }
            guard rename(path, old) == 0 else { throw .last }
            return old
        }
        throw SystemError(code: EEXIST)
    }

    /// Renames without replacing.
    private static func move(_ source: String, to target: String) throws(SystemError) {
        if link(source, target) == 0 {
            unlink(source)
            return
        }
        try checkNoLinks()
        guard access(target, F_OK) != 0 else { throw SystemError(code: EEXIST) }
        guard rename(source, target) == 0 else { throw .last }
    }

    /// Passes when link(2) failed because the file system has no second names; then rename(2) must do.
    private static func checkNoLinks() throws(SystemError) {
        guard errno == EPERM || errno == EOPNOTSUPP || errno == EMLINK else { throw .last }
    }

    private static func makeFolder(_ folder: String) throws(SystemError) {
        if mkdir(folder, 0o700) == 0 || errno == EEXIST { return }
        let (parent, _) = split(folder)
        guard errno == ENOENT, parent != folder else { throw .last }
        try makeFolder(parent)
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else { throw .last }
    }

    /// Folder and last part of a path.
    private static func split(_ path: String) -> (folder: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        let folder = path[..<slash]
        return (folder.isEmpty ? "/" : String(folder), String(path[path.index(after: slash)...]))
    }

    private static func wipe(_ secret: inout [UInt8]) {
        sodium_memzero(&secret, secret.count)
    }

    // MARK: Messages

    private func unreadable(_ error: SystemError) -> KeyFileError {
        if error.code == ENOENT {
            return KeyFileError("there is no key file \(path): make one with \"hypha generate-keys\"", isMissing: true)
        }
        var status = stat()
        var message = "key file \(path) cannot be read: \(error)"
        if error.code == EACCES {
            if stat(path, &status) == 0 {
                message += ", mode \(KeyFile.octal(status.st_mode)), owner \(status.st_uid), group \(status.st_gid)"
            }
            message += ": run hypha as its owner, or \"chgrp\" it to a group of this user and \"chmod 640 \(path)\""
        }
        return KeyFileError(message)
    }

    private func unwritable(_ error: SystemError) -> KeyFileError {
        KeyFileError("key file \(path) cannot be written: \(error)")
    }

    private static func octal(_ mode: mode_t) -> String {
        let digits = String(mode & 0o777, radix: 8)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }
}
