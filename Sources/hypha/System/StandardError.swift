internal import Glibc

/// The process's standard error stream.
enum StandardError {
    /// Writes text at once. What cannot be written is lost: there is nowhere left to say so.
    @Sendable static func write(_ text: String) { StandardStream.write(text, to: STDERR_FILENO) }

    /// True when the stream leads to systemd's journal.
    static var isJournal: Bool {
        guard let stream = getenv("JOURNAL_STREAM") else { return false }
        return isStream(STDERR_FILENO, named: String(cString: stream))
    }

    /// True when the descriptor has the device and inode that systemd put into `JOURNAL_STREAM`, "8:1234". A process
    /// whose stream was redirected later inherits the variable too. See systemd.exec(5).
    static func isStream(_ descriptor: Int32, named name: String) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && name == "\(status.st_dev):\(status.st_ino)"
    }
}
