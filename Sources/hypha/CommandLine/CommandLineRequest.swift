/// What a command line asks for.
struct CommandLineRequest: Sendable {
    var command = CommandName.run
    /// Words after the command.
    var operands: [String] = []
    /// Of --config.
    var configurationFile: String?
    /// Values of flags, in the order of the flag table; each has been checked.
    var overrides: [ConfigurationOverride] = []
    var check = false
    var force = false
    var json = false
}
