/// Where a configuration value was written.
enum ValueOrigin: Sendable {
    case file(TextPosition)
    /// A flag by its name, with its hyphens.
    case flag(String)
    /// The file as a whole.
    case wholeFile

    /// Order of the file; what is not in it comes last.
    func precedes(_ other: ValueOrigin) -> Bool {
        switch (self, other) {
        case (.file(let a), .file(let b)): a < b
        case (.file, _): true
        default: false
        }
    }
}
