internal import Glibc

/// A failed system call.
struct SystemError: Error, Equatable {
    /// errno.
    let code: Int32

    /// What the calling thread's last system call left in errno.
    static var last: SystemError { SystemError(code: errno) }
}

extension SystemError: CustomStringConvertible {
    var description: String { String(cString: strerror(code)) }
}
