/// Why a node cannot start or go on: one line for the user.
struct NodeError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
