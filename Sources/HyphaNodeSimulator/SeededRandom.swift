import HyphaBase
import HyphaControl

/// Random bytes from a seed: every run the same.
struct SeededRandom: RandomSource {
    private var seed: Seed

    init(_ seed: UInt64) { self.seed = Seed(seed) }

    mutating func fill(_ bytes: UnsafeMutableRawBufferPointer) {
        for i in bytes.indices { bytes[i] = UInt8(truncatingIfNeeded: seed.next() >> 32) }
    }
}
