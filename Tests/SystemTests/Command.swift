import Foundation
import Glibc

/// A program that is run to its end.
struct Command {
    let status: Int32
    let output: String
    let errors: String

    /// Runs `words`, in a namespace or not; a program that takes longer than `seconds` is an error.
    @discardableResult
    static func run(_ words: [String], in space: String? = nil, folder: URL, within seconds: Double = 20) throws
        -> Command
    {
        let program = try RunningProgram(words, in: space, folder: folder)
        guard let status = program.exitCode(within: seconds) else {
            program.stop()
            throw SystemTestError(
                "\(program.title) did not end within \(seconds) s:\n\(program.output)\(program.errors)")
        }
        return Command(status: status, output: program.output, errors: program.errors)
    }

    /// The same, and any exit code but 0 is an error. Returns the output.
    @discardableResult
    static func need(_ words: [String], in space: String? = nil, folder: URL, within seconds: Double = 20) throws
        -> String
    {
        let result = try run(words, in: space, folder: folder, within: seconds)
        guard result.status == 0 else {
            throw SystemTestError("\(words.joined(separator: " ")): exit code \(result.status)\n\(result.errors)")
        }
        return result.output
    }
}
