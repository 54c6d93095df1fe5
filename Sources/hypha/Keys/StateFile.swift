internal import Glibc
internal import HyphaRouting

/// The small file with what a node must find again after a restart: without its router id and sequence number it would
/// be a new origin to the mesh, and routes to the old one and to the new one can close loops.
///
/// | line | content |
/// |---|---|
/// | 1 | `hypha-state 1` |
/// | 2 | `router ZONE RANDOM SEQNO`, decimal |
///
/// Written to a temporary file, synchronised, and renamed: it is whole or the old one. Nothing in it is secret.
struct StateFile {
    private static let head = "hypha-state 1"
    /// More than a file ever has.
    private static let limit = 4_096

    let path: String

    /// What the last run kept. Nil when there is no file. Throws a line for the log when there is one that cannot be used.
    func load() throws(NodeError) -> RouterState? {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK).read(limit: StateFile.limit)
        } catch {
            if error.code == ENOENT { return nil }
            throw NodeError("state file \(path) cannot be read: \(error); the node starts as a new origin")
        }
        guard let state = StateFile.parse(String(decoding: bytes, as: UTF8.self)) else {
            throw NodeError(
                "state file \(path) is damaged or of another version; it is replaced, the node starts as a new origin")
        }
        return state
    }

    /// Replaces the file.
    func save(_ state: RouterState) throws(NodeError) {
        let temporary = "\(path).\(getpid()).new"
        do throws(SystemError) {
            unlink(temporary)
            let file = try FileDescriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            do throws(SystemError) {
                try StateFile.write(StateFile.text(state), to: file)
                guard rename(temporary, path) == 0 else { throw .last }
            } catch {
                unlink(temporary)
                throw error
            }
        } catch {
            throw NodeError(
                "state file \(path) cannot be written: \(error); after a restart other nodes need longer to find this one"
            )
        }
    }

    static func text(_ state: RouterState) -> String {
        "\(head)\nrouter \(state.zone) \(state.random) \(state.seqno)\n"
    }

    /// Nil unless the text is exactly what `text` makes.
    static func parse(_ text: String) -> RouterState? {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 3, lines[0] == head, lines[2].isEmpty else { return nil }
        let words = lines[1].split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 4, words[0] == "router", let zone = UInt16(words[1]), let random = UInt64(words[2]),
            random < 1 << 48, let seqno = UInt16(words[3])
        else { return nil }
        return RouterState(zone: zone, random: random, seqno: seqno)
    }

    private static func write(_ text: String, to file: borrowing FileDescriptor) throws(SystemError) {
        var failure: SystemError?
        Array(text.utf8).withUnsafeBytes { bytes in
            do throws(SystemError) { try file.write(bytes) } catch { failure = error }
        }
        if let failure { throw failure }
        try file.synchronize()
    }
}
