/// A value and where it was written.
struct Placed<Value: Sendable>: Sendable {
    let value: Value
    let origin: ValueOrigin
}
