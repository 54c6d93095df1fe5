import CBench

/// Two cores to run on; the same one twice where there is only one.
struct BenchCores {
    /// All that the process could use when it started.
    static let usable = cbench_usable_cpus()

    /// Bit sets of one core each.
    let first: UInt64
    let second: UInt64

    init() {
        let usable = BenchCores.usable
        first = usable & (0 &- usable)
        let rest = usable & ~first
        second = rest == 0 ? first : rest & (0 &- rest)
    }

    /// Runs `body` on the second core, above other work.
    static func measured<Result>(_ body: () -> Result) -> Result {
        let all = usable
        _ = cbench_pin(BenchCores().second, Testbed.niceness)
        defer { _ = cbench_pin(all, 0) }
        return body()
    }

    /// The second core as configuration names it.
    var secondName: String { "\(second.trailingZeroBitCount)" }
    var firstName: String { "\(first.trailingZeroBitCount)" }
}
