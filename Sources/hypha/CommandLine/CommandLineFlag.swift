/// One flag as the command line and the help text know it.
struct CommandLineFlag: Sendable {
    /// What a flag does.
    enum Effect: Sendable {
        /// Its value stands in place of the configuration key with this path.
        case sets(String)
        /// The given value stands in place of the configuration key with this path.
        case setsConstant(String, ConfigurationValue)
        case configurationFile, check, force, json, help, version
    }

    /// Spellings with their hyphens, the one to show in messages first.
    let names: [String]
    /// What follows the flag, as help shows it; nil for a switch.
    let value: String?
    /// True when all following words up to the next flag belong to it.
    let takesMany: Bool
    /// Commands that it means something to; empty: all.
    let commands: [CommandName]
    /// True when other commands refuse it; else they ignore it.
    let isExclusive: Bool
    let effect: Effect
    let summary: String

    init(
        _ names: [String], value: String? = nil, takesMany: Bool = false, commands: [CommandName] = [],
        isExclusive: Bool = false, _ effect: Effect, _ summary: String
    ) {
        self.names = names
        self.value = value
        self.takesMany = takesMany
        self.commands = commands
        self.isExclusive = isExclusive
        self.effect = effect
        self.summary = summary
    }

    /// The configuration key that the flag overrides.
    var key: ConfigurationKey? {
        switch effect {
        case .sets(let path), .setsConstant(let path, _): ConfigurationKeys.find(path)
        default: nil
        }
    }
}
