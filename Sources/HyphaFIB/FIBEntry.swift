import HyphaWire

/// A prefix of a table and where it leads.
struct FIBEntry: Sendable {
    var prefix: Prefix
    var nextHop: NextHop
}
