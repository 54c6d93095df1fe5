import HyphaBase
import HyphaWire

/// What a hostile node heard: the last announcement of each prefix, of as many prefixes as there is room for.
struct HeardUpdates: Sendable {
    static let capacity = 256

    private var updates: [BabelTLV.Update] = []
    private var places: [Prefix: Int] = [:]

    mutating func note(_ update: BabelTLV.Update) {
        if let place = places[update.prefix] {
            updates[place] = update
        } else if updates.count < HeardUpdates.capacity {
            places[update.prefix] = updates.count
            updates.append(update)
        }
    }

    /// Any of them, nil as long as nothing was heard.
    func any(_ seed: inout Seed) -> BabelTLV.Update? { updates.randomElement(using: &seed) }
}
