/// One command as the command line and the help text know it.
struct CommandLineCommand: Sendable {
    let name: CommandName
    /// Words after the command, as help shows them: "[KEY]".
    let operands: String
    /// Most words after the command.
    let operandLimit: Int
    let summary: String
}
