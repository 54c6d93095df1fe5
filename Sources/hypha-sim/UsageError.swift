/// What is wrong with a command line.
struct UsageError: Error {
    let text: String

    init(_ text: String) { self.text = text }
}
