/// One key of the configuration: what it takes, what it means and how it is stored.
struct ConfigurationKey: Sendable {
    /// What a flag's text becomes before it is assigned.
    enum Kind: Sendable {
        case boolean, integer, text
    }

    let section: ConfigurationSection
    let name: String
    let kind: Kind
    /// True when the key takes a list; `assign` then takes one member after the other.
    let isList: Bool
    /// True when each entry of the (repeated) table must have it.
    let isRequired: Bool
    /// The default as a file would say it, nil for a required key and for one that falls back to another key.
    let defaultText: String?
    /// A valid value as a file would say it.
    let example: String
    /// One line for documentation.
    let summary: String
    /// Empties the list before the values of flags replace it; nil for a key that takes no list.
    var empty: (@Sendable (inout ConfigurationDraft) -> Void)?
    /// Checks and stores a value.
    let assign: @Sendable (ConfigurationValue, inout ConfigurationDraft) throws(InvalidValue) -> Void

    /// Section and name, as messages show it: "tun.mtu".
    var path: String { section == .top ? name : "\(section.rawValue).\(name)" }

    /// The value that a flag's text stands for.
    func value(ofFlag text: String) -> ConfigurationValue {
        switch kind {
        case .integer: Int64(text).map { .integer($0) } ?? .text(text)
        case .boolean: Bool(text).map { .boolean($0) } ?? .text(text)
        case .text: .text(text)
        }
    }
}

extension ConfigurationKey {
    typealias Field<Value> = any WritableKeyPath<ConfigurationDraft, Value> & Sendable

    static func boolean(
        _ section: ConfigurationSection, _ name: String, _ field: Field<Bool>, _ summary: String
    ) -> ConfigurationKey {
        let standard = "\(ConfigurationDraft()[keyPath: field])"
        return ConfigurationKey(
            section: section, name: name, kind: .boolean, isList: false, isRequired: false, defaultText: standard,
            example: standard, summary: summary
        ) { value, draft throws(InvalidValue) in
            guard case .boolean(let flag) = value else {
                throw InvalidValue("must be true or false, not \(value)")
            }
            draft[keyPath: field] = flag
        }
    }

    /// `note` explains an unexpected range.
    static func integer(
        _ section: ConfigurationSection, _ name: String, _ field: Field<Int>, _ range: ClosedRange<Int>,
        note: String = "", _ summary: String
    ) -> ConfigurationKey {
        let standard = "\(ConfigurationDraft()[keyPath: field])"
        return ConfigurationKey(
            section: section, name: name, kind: .integer, isList: false, isRequired: false, defaultText: standard,
            example: standard, summary: summary
        ) { value, draft throws(InvalidValue) in
            draft[keyPath: field] = try number(value, range, note: note)
        }
    }

    /// A number that stays open when the key is absent.
    static func openInteger(
        _ section: ConfigurationSection, _ name: String, _ range: ClosedRange<Int>, example: Int, _ summary: String,
        store: @escaping @Sendable (Int, inout ConfigurationDraft) -> Void
    ) -> ConfigurationKey {
        ConfigurationKey(
            section: section, name: name, kind: .integer, isList: false, isRequired: false, defaultText: nil,
            example: "\(example)", summary: summary
        ) { value, draft throws(InvalidValue) in
            store(try number(value, range), &draft)
        }
    }

    static func choice<Choice: RawRepresentable & CaseIterable & Sendable>(
        _ section: ConfigurationSection, _ name: String, _ field: Field<Choice>, _ summary: String
    ) -> ConfigurationKey where Choice.RawValue == String {
        let standard = "\"\(ConfigurationDraft()[keyPath: field].rawValue)\""
        return ConfigurationKey(
            section: section, name: name, kind: .text, isList: false, isRequired: false, defaultText: standard,
            example: standard, summary: summary
        ) { value, draft throws(InvalidValue) in
            draft[keyPath: field] = try choose(value)
        }
    }

    /// A choice that stays open when the key is absent.
    static func openChoice<Choice: RawRepresentable & CaseIterable & Sendable>(
        _ section: ConfigurationSection, _ name: String, _ field: Field<Choice?>, example: Choice, _ summary: String
    ) -> ConfigurationKey where Choice.RawValue == String {
        ConfigurationKey(
            section: section, name: name, kind: .text, isList: false, isRequired: false, defaultText: nil,
            example: "\"\(example.rawValue)\"", summary: summary
        ) { value, draft throws(InvalidValue) in
            draft[keyPath: field] = try choose(value)
        }
    }

    /// A text that `parse` turns into a value; its description is the text again.
    static func parsed<Value: CustomStringConvertible & Sendable>(
        _ section: ConfigurationSection, _ name: String, _ field: Field<Value>, _ summary: String,
        parse: @escaping @Sendable (String) throws(InvalidValue) -> Value
    ) -> ConfigurationKey {
        let standard = "\"\(ConfigurationDraft()[keyPath: field])\""
        return ConfigurationKey(
            section: section, name: name, kind: .text, isList: false, isRequired: false, defaultText: standard,
            example: standard, summary: summary
        ) { value, draft throws(InvalidValue) in
            draft[keyPath: field] = try parse(try text(value))
        }
    }

    /// A text without which the table's entry is refused.
    static func required<Value: Sendable>(
        _ section: ConfigurationSection, _ name: String, _ field: Field<Value?>, example: String, _ summary: String,
        parse: @escaping @Sendable (String) throws(InvalidValue) -> Value
    ) -> ConfigurationKey {
        ConfigurationKey(
            section: section, name: name, kind: .text, isList: false, isRequired: true, defaultText: nil,
            example: "\"\(example)\"", summary: summary
        ) { value, draft throws(InvalidValue) in
            draft[keyPath: field] = try parse(try text(value))
        }
    }

    /// A list of texts, each of which `add` stores; `empty` removes all of them.
    static func list(
        _ section: ConfigurationSection, _ name: String, _ summary: String,
        empty: @escaping @Sendable (inout ConfigurationDraft) -> Void,
        add: @escaping @Sendable (String, inout ConfigurationDraft) throws(InvalidValue) -> Void
    ) -> ConfigurationKey {
        ConfigurationKey(
            section: section, name: name, kind: .text, isList: true, isRequired: false, defaultText: "[]",
            example: "[]", summary: summary, empty: empty
        ) { value, draft throws(InvalidValue) in
            try add(try text(value), &draft)
        }
    }

    private static func number(
        _ value: ConfigurationValue, _ range: ClosedRange<Int>, note: String = ""
    ) throws(InvalidValue) -> Int {
        if case .integer(let number) = value, let number = Int(exactly: number), range.contains(number) {
            return number
        }
        let numbers =
            range.count == 1
            ? "\(range.lowerBound)" : "an integer from \(range.lowerBound) to \(range.upperBound)"
        throw InvalidValue("must be \(numbers), not \(value)" + (note.isEmpty ? "" : " (\(note))"))
    }

    private static func text(_ value: ConfigurationValue) throws(InvalidValue) -> String {
        guard case .text(let text) = value else { throw InvalidValue("must be a string, not \(value)") }
        return text
    }

    private static func choose<Choice: RawRepresentable & CaseIterable>(
        _ value: ConfigurationValue
    ) throws(InvalidValue) -> Choice where Choice.RawValue == String {
        if case .text(let text) = value, let choice = Choice(rawValue: text) { return choice }
        let names = Choice.allCases.map { "\"\($0.rawValue)\"" }
        let list = names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "")
        throw InvalidValue("must be \(list), not \(value)")
    }
}
