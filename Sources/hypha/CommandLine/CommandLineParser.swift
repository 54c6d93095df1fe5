/// Turns the words of a command line into a request. Flags may stand before or after the command and its operands.
///
/// Accepted forms: `--flag VALUE`, `--flag=VALUE`, `-f VALUE`, `-fVALUE`, `-f=VALUE`, switches joined as in `-dV`, and
/// `--` before words that are no flags.
struct CommandLineParser {
    private var request = CommandLineRequest()
    private var command: CommandName?
    private var given: [(flag: CommandLineFlag, values: [String])] = []
    private var words: ArraySlice<String>

    /// `words` are those after the program's name.
    static func parse(_ words: [String]) throws(UsageError) -> CommandLineRequest {
        var parser = CommandLineParser(words: words[...])
        try parser.readWords()
        return try parser.finish()
    }

    private init(words: ArraySlice<String>) { self.words = words }

    private mutating func readWords() throws(UsageError) {
        while let word = words.popFirst() {
            if word == "--" {
                while let operand = words.popFirst() { try readOperand(operand) }
            } else if word.hasPrefix("--") {
                try readLong(word)
            } else if CommandLineParser.isFlag(word) {
                try readShort(word)
            } else {
                try readOperand(word)
            }
        }
    }

    private static func isFlag(_ word: String) -> Bool { word.hasPrefix("-") && word.utf8.count > 1 }

    private mutating func readOperand(_ word: String) throws(UsageError) {
        guard let command, let entry = CommandLineTable.command(command) else {
            guard let command = CommandName(rawValue: word) else {
                throw CommandLineParser.unknown("command", word, among: CommandName.allCases.map(\.rawValue))
            }
            self.command = command
            return
        }
        guard request.operands.count < entry.operandLimit else {
            let most = entry.operandLimit == 0 ? "no words" : "only \(entry.operands)"
            throw UsageError("\(command.rawValue) takes \(most) after it, not \(PrintableText.quote(word))")
        }
        request.operands.append(word)
    }

    private mutating func readLong(_ word: String) throws(UsageError) {
        let halves = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(halves[0])
        guard let flag = CommandLineTable.flag(name) else {
            throw CommandLineParser.unknown("flag", name, among: CommandLineTable.flags.flatMap(\.names))
        }
        let attached = halves.count == 2 ? String(halves[1]) : nil
        if flag.value == nil, attached != nil { throw UsageError("\(name) takes no value") }
        try readValues(of: flag, name: name, attached: attached)
    }

    private mutating func readShort(_ word: String) throws(UsageError) {
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
            let name = "-\(letter)"
            guard let flag = CommandLineTable.flag(name) else {
                throw CommandLineParser.unknown("flag", name, among: [])
            }
            if flag.value == nil {
                try readValues(of: flag, name: name, attached: nil)
            } else {
                let attached = letters.hasPrefix("=") ? letters.dropFirst() : letters
                try readValues(of: flag, name: name, attached: letters.isEmpty ? nil : String(attached))
                return
            }
        }
    }

    private mutating func readValues(
        of flag: CommandLineFlag, name: String, attached: String?
    ) throws(UsageError) {
        var values = attached.map { [$0] } ?? []
        if let value = flag.value {
            while values.isEmpty || flag.takesMany, let next = words.first, !CommandLineParser.isFlag(next) {
                values.append(next)
                words = words.dropFirst()
            }
            if values.isEmpty { throw UsageError("\(name) needs a value: \(name) \(value)") }
        }
        given.append((flag, values))
    }

    /// --help and --version win over everything else that could be understood.
    private mutating func finish() throws(UsageError) -> CommandLineRequest {
        request.command = command ?? .run
        for (flag, values) in given {
            let name = flag.names[0]
            if flag.isExclusive, !flag.commands.contains(request.command) {
                let homes = flag.commands.map(\.rawValue).joined(separator: ", ")
                throw UsageError("\(name) belongs to the command \(homes), not to \(request.command.rawValue)")
            }
            switch flag.effect {
            case .configurationFile: request.configurationFile = values.last
            case .check: request.check = true
            case .force: request.force = true
            case .json: request.json = true
            case .sets, .setsConstant, .help, .version: break
            }
        }
        // In the order of the table, so that which of two contradicting flags wins does not depend on their order.
        for flag in CommandLineTable.flags {
            for use in given where use.flag.names == flag.names { try override(with: flag, use.values) }
        }
        if given.contains(where: { if case .help = $0.flag.effect { true } else { false } }) {
            request.operands = command.map { [$0.rawValue] } ?? []
            request.command = .help
        } else if given.contains(where: { if case .version = $0.flag.effect { true } else { false } }) {
            request.command = .version
        }
        return request
    }

    private mutating func override(with flag: CommandLineFlag, _ values: [String]) throws(UsageError) {
        guard let key = flag.key else { return }
        let name = flag.names[0]
        let settings: [ConfigurationValue] =
            if case .setsConstant(_, let value) = flag.effect { [value] } else { values.map(key.value(ofFlag:)) }
        for setting in settings {
            let override = ConfigurationOverride(flag: name, key: key, value: setting)
            var scratch = ConfigurationDraft()
            if let problem = ConfigurationOverride.apply([override], to: &scratch).first {
                var message = "\(name): \(problem.message)"
                if flag.takesMany, case .text(let word) = setting, CommandName(rawValue: word) != nil {
                    message += " (the command \(word) must stand before \(name))"
                }
                throw UsageError(message)
            }
            request.overrides.append(override)
        }
    }

    private static func unknown(_ what: String, _ word: String, among names: [String]) -> UsageError {
        var message = "unknown \(what) \(PrintableText.quote(word))"
        if let nearest = NearestName.suggest(for: word, among: names) { message += " (did you mean \(nearest)?)" }
        return UsageError(message)
    }
}
