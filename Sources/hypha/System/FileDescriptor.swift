internal import Glibc

/// An open file, closed at the end of its life.
struct FileDescriptor: ~Copyable {
    let raw: Int32

    private init(raw: Int32) { self.raw = raw }

    deinit { close(raw) }

    /// open(2); the descriptor is not inherited by other programs.
    static func open(_ path: String, _ flags: Int32, mode: mode_t = 0) throws(SystemError) -> FileDescriptor {
        while true {
            let raw = Glibc.open(path, flags | O_CLOEXEC | O_NOCTTY, mode)
            if raw >= 0 { return FileDescriptor(raw: raw) }
            guard errno == EINTR else { throw .last }
        }
    }

    /// fstat(2).
    borrowing func status() throws(SystemError) -> stat {
        var status = stat()
        guard fstat(raw, &status) == 0 else { throw .last }
        return status
    }

    /// Up to `limit` bytes from the start of the file on, fewer only at its end.
    borrowing func read(limit: Int) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            while count < limit {
                let got = Glibc.read(raw, buffer.baseAddress.map { $0 + count }, limit - count)
                if got > 0 {
                    count += got
                } else if got == 0 {
                    return
                } else if errno != EINTR {
                    failure = .last
                    return
                }
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Writes all bytes.
    borrowing func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = Glibc.write(raw, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if sent >= 0 {
                rest = rest.dropFirst(sent)
            } else if errno != EINTR {
                throw .last
            }
        }
    }

    /// fsync(2).
    borrowing func synchronize() throws(SystemError) {
        while fsync(raw) != 0 {
            guard errno == EINTR else { throw .last }
        }
    }
}
