/// One thing that is wrong with a configuration.
struct ConfigurationProblem: Error, Sendable {
    let origin: ValueOrigin
    let message: String

    /// `FILE:LINE:COLUMN: message`, or `--flag: message`.
    func line(file: String) -> String {
        switch origin {
        case .file(let position): "\(file):\(position.line):\(position.column): \(message)"
        case .flag(let name): "\(name): \(message)"
        case .wholeFile: "\(file): \(message)"
        }
    }
}
