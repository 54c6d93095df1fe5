import Glibc

/// Why the program cannot run.
struct Failure: Error {
    let text: String
    /// 1 for the system, 2 for the command line.
    let code: Int32

    init(_ text: String, code: Int32 = 1) {
        self.text = text
        self.code = code
    }

    /// With the system's word for `code`.
    static func system(_ what: String, _ code: Int32) -> Failure {
        Failure("\(what): \(String(cString: strerror(code)))")
    }
}
