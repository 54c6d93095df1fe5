/// Public keys of made-up nodes, 64 hex digits.
enum SampleKeys {
    static let a = String(repeating: "a1", count: 32)
    static let b = String(repeating: "b2", count: 32)
    static let c = String(repeating: "c3", count: 32)
}
