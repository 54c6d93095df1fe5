public import HyphaWire

/// Counts since the start of a router.
public struct RouterCounters: Hashable, Sendable {
    private var values = [UInt64](repeating: 0, count: RouterCounter.allCases.count)
    private var refusals = [UInt64](repeating: 0, count: BabelTLVRefusal.allCases.count)

    public subscript(counter: RouterCounter) -> UInt64 { values[counter.rawValue] }

    /// Packets and TLVs that could not be read, by reason.
    public subscript(refusal: BabelTLVRefusal) -> UInt64 { refusals[Int(refusal.rawValue)] }

    mutating func count(_ counter: RouterCounter) { values[counter.rawValue] &+= 1 }
    mutating func count(_ refusal: BabelTLVRefusal) { refusals[Int(refusal.rawValue)] &+= 1 }

    /// All of them by their stable names, in a fixed order; what could not be read begins with `unreadable_`.
    public var all: [(name: String, value: UInt64)] {
        RouterCounter.allCases.map { ($0.name, self[$0]) }
            + BabelTLVRefusal.allCases.map { ("unreadable_" + RouterCounters.name($0), self[$0]) }
    }

    /// A case in snake_case; capitals in a row are one word.
    static func name(_ value: some CaseIterable) -> String {
        var text = ""
        var previous: Character = "_"
        for character in "\(value)" {
            if character.isUppercase, !previous.isUppercase { text += "_" }
            text += character.lowercased()
            previous = character
        }
        return text
    }
}
