internal import CSodium
internal import HyphaControl

/// Random bytes of the operating system, fit for secrets.
struct KernelRandom: RandomSource {
    mutating func fill(_ bytes: UnsafeMutableRawBufferPointer) {
        if let base = bytes.baseAddress { randombytes_buf(base, bytes.count) }
    }
}
