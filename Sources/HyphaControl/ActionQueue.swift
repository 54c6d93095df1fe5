import HyphaBase
import HyphaInterchange

/// What is to be done, in order. Emptied after every input, so it holds what one input makes.
struct ActionQueue: Sendable {
    private var actions: [ControlAction] = []
    private var first = 0

    mutating func append(_ action: ControlAction) { actions.append(action) }

    mutating func popFirst() -> ControlAction? {
        guard first < actions.count else {
            actions.removeAll(keepingCapacity: actions.count <= 1_024)
            first = 0
            return nil
        }
        defer { first += 1 }
        return actions[first]
    }

    /// Takes back all that says to workers that a route was found: they have no table yet that holds it.
    mutating func withdrawFoundRoutes() -> [UInt64] {
        var prefixes: [UInt64] = []
        let rest = actions[first...].filter { action in
            guard case .command(let command) = action, command.operation == .routeResolved else { return true }
            prefixes.append(command.endpoint.address.high)
            return false
        }
        if !prefixes.isEmpty {
            actions = Array(rest)
            first = 0
        }
        return prefixes
    }
}
