import CSodium

/// Key material of a fixed size in memory of its own, wiped when the last owner lets go.
///
/// Immutable once made, so owners may share it across threads and a copied struct copies no key bytes.
@safe final class SecretBytes: @unchecked Sendable {
    /// Size in bytes.
    let count: Int
    private let memory: UnsafeMutablePointer<UInt8>

    /// Allocates `count` zero bytes and lets `fill` write them.
    init(count: Int, fill: (UnsafeMutablePointer<UInt8>) -> Void) {
        self.count = count
        unsafe memory = UnsafeMutablePointer<UInt8>.allocate(capacity: count)
        unsafe memory.initialize(repeating: 0, count: count)
        unsafe fill(memory)
    }

    /// Allocates `count` zero bytes.
    convenience init(zeros count: Int) {
        unsafe self.init(count: count) { _ in }
    }

    /// Copies `bytes`; whoever owns them wipes them.
    convenience init(_ bytes: [UInt8]) {
        unsafe self.init(count: bytes.count) { target in
            for (i, byte) in bytes.enumerated() { unsafe target[i] = byte }
        }
    }

    deinit {
        unsafe sodium_memzero(memory, count)
        unsafe memory.deallocate()
    }

    /// Lends the `count` bytes for the length of `body`.
    func withPointer<Result>(_ body: (UnsafePointer<UInt8>) -> Result) -> Result {
        withExtendedLifetime(self) { unsafe body(memory) }
    }

    /// Lends the bytes for the length of `body`.
    func withBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        unsafe withPointer { unsafe body(UnsafeBufferPointer(start: $0, count: count)) }
    }

    /// The first `count` bytes, in memory of their own.
    func prefix(_ count: Int) -> SecretBytes {
        unsafe SecretBytes(count: count) { target in
            unsafe withBytes { source in
                for i in 0..<min(count, source.count) { unsafe target[i] = source[i] }
            }
        }
    }

    /// The `count` bytes from `offset` on, as an array that the caller owns.
    func copy(offset: Int, count: Int) -> [UInt8] {
        unsafe withBytes { unsafe Array($0[offset..<offset + count]) }
    }
}
