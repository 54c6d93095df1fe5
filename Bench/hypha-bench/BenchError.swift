import Glibc

/// Why a benchmark gave no figures.
enum BenchError: Error {
    /// Something did not work: what, where, and what to do.
    case failed(String)
    /// It cannot run here: why, and what would change that.
    case unavailable(String)
    /// A signal asked the program to end.
    case interrupted

    /// A failed system call, with the text for `errno`.
    static func system(_ what: String) -> BenchError { .failed("\(what): \(String(cString: strerror(errno)))") }
}
