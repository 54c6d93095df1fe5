/// One line between the benchmark and its sender or sink: a verb and `key=value` fields, separated by spaces.
struct PipeMessage: CustomStringConvertible {
    var verb: String
    private var fields: [(key: String, value: String)]

    init(_ verb: String, _ fields: [(key: String, value: String)] = []) {
        self.verb = verb
        self.fields = fields
    }

    init(parsing line: String) {
        let words = line.split(separator: " ")
        verb = words.first.map(String.init) ?? ""
        fields = words.dropFirst().map { word in
            guard let equals = word.firstIndex(of: "=") else { return (String(word), "") }
            return (String(word[..<equals]), String(word[word.index(after: equals)...]))
        }
    }

    var description: String { ([verb] + fields.map { "\($0.key)=\($0.value)" }).joined(separator: " ") }

    /// Names of the fields, in order.
    var keys: [String] { fields.map(\.key) }

    func has(_ key: String) -> Bool { keys.contains(key) }

    /// The text of a field; throws when it is not there.
    func text(_ key: String) throws(BenchError) -> String {
        guard let field = fields.first(where: { $0.key == key }) else {
            throw .failed("message \"\(verb)\" has no field \"\(key)\"")
        }
        return field.value
    }

    /// A whole number that is not negative; throws when it is not there or not a number.
    func number(_ key: String) throws(BenchError) -> UInt64 {
        let text = try text(key)
        guard let value = UInt64(text) else {
            throw .failed("field \"\(key)\" of message \"\(verb)\" is not a number: \(text)")
        }
        return value
    }
}
