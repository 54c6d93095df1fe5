/// Why a key file cannot be used, for the user: what, where and what to do.
struct KeyFileError: Error, CustomStringConvertible {
    /// True when there is no file at the path.
    let isMissing: Bool
    let description: String

    init(_ description: String, isMissing: Bool = false) {
        self.description = description
        self.isMissing = isMissing
    }
}
