import HyphaBase

/// Damaged input from a seed.
struct Hostile {
    private var seed: Seed

    init(seed: UInt64) { self.seed = Seed(seed) }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &seed) } }

    mutating func number(below limit: Int) -> Int { Int.random(in: 0..<max(1, limit), using: &seed) }

    /// `bytes` with up to four flipped bits, cuts, repetitions and insertions of `fragments`.
    mutating func damage(_ bytes: [UInt8], fragments: [String]) -> [UInt8] {
        var out = bytes
        for _ in 0...number(below: 4) {
            let at = number(below: out.count)
            switch number(below: 5) {
            case 0 where !out.isEmpty: out[at] ^= 1 << UInt8(number(below: 8))
            case 1: out = Array(out.prefix(at))
            case 2: out.removeSubrange(at..<min(out.count, at + number(below: 12)))
            case 3 where !fragments.isEmpty:
                out.insert(contentsOf: fragments[number(below: fragments.count)].utf8, at: min(at, out.count))
            default: out.insert(contentsOf: out.suffix(number(below: 40)), at: min(at, out.count))
            }
        }
        return out
    }
}
