/// The commands of the program.
enum CommandName: String, CaseIterable, Sendable {
    case run
    case generateKeys = "generate-keys"
    case inspect
    case version
    case help
}
