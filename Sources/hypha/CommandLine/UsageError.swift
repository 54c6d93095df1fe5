/// A command line that cannot be understood: one line for the user.
struct UsageError: Error {
    let message: String

    init(_ message: String) { self.message = message }
}
