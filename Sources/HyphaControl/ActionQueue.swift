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
}
