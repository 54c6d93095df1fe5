/// Help text, made from the tables of commands and flags.
enum CommandLineHelp {
    /// Help of one command, or of the whole program.
    static func text(of command: CommandName?) -> String {
        guard let command, let entry = CommandLineTable.command(command) else { return overview }
        let flags = CommandLineTable.flags.filter { $0.commands.isEmpty || $0.commands.contains(command) }
        let operands = entry.operands.isEmpty ? "" : " \(entry.operands)"
        return "\(entry.summary).\n\nUsage: hypha \(command.rawValue) [FLAGS]\(operands)\n\n" + list(flags)
    }

    private static var overview: String {
        let width = CommandName.allCases.map(\.rawValue.count).max() ?? 0
        var text = "hypha joins computers in an encrypted IPv6 overlay network and passes on the packets of others.\n\n"
        text += "Usage: hypha [run] [FLAGS]\n       hypha COMMAND [FLAGS]\n\nCommands:\n"
        for command in CommandLineTable.commands {
            text += "  \(padded(command.name.rawValue, to: width))  \(command.summary)\n"
        }
        return text + "\n" + list(CommandLineTable.flags)
            + "\nFlags win over the configuration file. \"hypha help COMMAND\" lists the flags of one command.\n"
    }

    private static func list(_ flags: [CommandLineFlag]) -> String {
        let heads = flags.map(head)
        let width = heads.map(\.count).max() ?? 0
        return zip(flags, heads).reduce("Flags:\n") { text, line in
            "\(text)  \(padded(line.1, to: width))  \(line.0.summary)\(standard(line.0))\n"
        }
    }

    private static func head(_ flag: CommandLineFlag) -> String {
        let short = flag.names.filter { !$0.hasPrefix("--") }
        let long = flag.names.filter { $0.hasPrefix("--") }
        let names = (short.isEmpty ? "    " : "") + (short + long).joined(separator: ", ")
        return flag.value.map { "\(names) \($0)" } ?? names
    }

    /// The default of the configuration key behind a flag with a value.
    private static func standard(_ flag: CommandLineFlag) -> String {
        guard case .sets = flag.effect, let standard = flag.key?.defaultText, standard != "[]" else { return "" }
        return " [default: \(standard.filter { $0 != "\"" })]"
    }

    private static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
