import HyphaBase
import HyphaWire

/// Kinds of random tables, each of which exercises other parts of the trie.
enum TableShape: String, CaseIterable {
    /// Any address, any length.
    case anything
    /// Prefixes of a few addresses: deep nesting.
    case nested
    /// Hosts and small prefixes around a few addresses, different in the last bits only.
    case hosts
    /// Neighbouring prefixes of equal length: full branches.
    case adjacent
    /// Subnets of 64 bits in 400::/7.
    case overlay
    /// Forks at any distance from each other: long paths between branches.
    case forks

    func prefix(_ seed: inout Seed, _ bases: [IPv6Address]) -> Prefix {
        let random = IPv6Address(high: seed.next(), low: seed.next())
        let base = bases[Int.random(in: 0..<bases.count, using: &seed)]
        switch self {
        case .anything:
            return Prefix(random, length: Int.random(in: 0...128, using: &seed))
        case .nested:
            return Prefix(base, length: Int.random(in: 0...128, using: &seed))
        case .hosts:
            let near = IPv6Address(high: base.high, low: base.low ^ (random.low & 0x1FF))
            return Prefix(near, length: Int.random(in: 0...3, using: &seed) == 0 ? 120 + Int(random.high & 7) : 128)
        case .adjacent:
            let length = base.high & 1 == 0 ? 29 : 77
            let number = random.low & 0xFF
            let near =
                length == 29
                ? IPv6Address(high: base.high &+ number &<< 35, low: 0)
                : IPv6Address(high: base.high, low: base.low &+ number &<< 51)
            return Prefix(near, length: length)
        case .overlay:
            return Prefix(IPv6Address(high: random.high >> 7 | 4 << 56, low: 0), length: 64)
        case .forks:
            let bit = UInt64.random(in: 0..<64, using: &seed)
            let fork =
                random.high & 1 == 0
                ? IPv6Address(high: base.high ^ 1 << bit, low: base.low)
                : IPv6Address(high: base.high, low: base.low ^ 1 << bit)
            return Prefix(fork, length: Int.random(in: 64...128, using: &seed))
        }
    }
}
