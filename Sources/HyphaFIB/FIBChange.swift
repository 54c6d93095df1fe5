import HyphaWire

/// A change of a table that is not merged yet.
struct FIBChange: Sendable {
    var prefix: Prefix
    /// Nil: removed.
    var nextHop: NextHop?
    /// Its place among the changes.
    var number: Int
}
