internal import CAEAD
private import Synchronization

/// AES-256-GCM with one key: ciphertext, tag 16, nonce 12, no associated data.
public final class StockCipher: @unchecked Sendable {
    /// Bytes that sealing adds.
    public static let overhead = 28

    // Written once; the context is used under the lock.
    private let context: OpaquePointer
    private let key: UnsafeMutableRawPointer
    private let lock = Mutex(())

    /// `key` has 32 bytes; nil without memory.
    public init?(key raw: [UInt8]) {
        guard raw.count == 32, let context = caead_context_create() else { return nil }
        self.context = context
        key = .allocate(byteCount: Int(CAEAD_KEY_SIZE), alignment: 64)
        caead_key_init(context, key, Int32(CAEAD_SUITE_AES_256_GCM), raw)
    }

    deinit {
        caead_key_wipe(key)
        key.deallocate()
        caead_context_destroy(context)
    }

    /// The payload around `plaintext`; `nonce` has 12 bytes.
    public func seal(_ plaintext: [UInt8], nonce: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(plaintext.count + StockCipher.overhead)
        out += plaintext
        out += repeatElement(0, count: 16)
        out += nonce
        _ = run(&out, opens: false)
        return out
    }

    /// The plaintext of a payload; nil when it is none of this key's.
    public func open(_ payload: [UInt8]) -> [UInt8]? {
        guard payload.count >= StockCipher.overhead else { return nil }
        var out = payload
        guard run(&out, opens: true) else { return nil }
        out.removeLast(StockCipher.overhead)
        return out
    }

    private func run(_ bytes: inout [UInt8], opens: Bool) -> Bool {
        let count = bytes.count - StockCipher.overhead
        return bytes.withUnsafeMutableBytes { raw in
            guard let data = raw.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return false }
            let nonce = UnsafeRawPointer(data + count + 16)
            var job = caead_job()
            job.key = UnsafeRawPointer(key)
            job.data = data
            job.tag = data + count
            job.length = UInt32(count)
            job.nonce_head = UInt32(littleEndian: nonce.loadUnaligned(as: UInt32.self))
            job.counter = UInt64(littleEndian: nonce.loadUnaligned(fromByteOffset: 4, as: UInt64.self))
            return lock.withLock { _ in
                opens ? caead_open(context, &job, 1) : caead_seal(context, &job, 1)
                return job.ok == 1
            }
        }
    }
}
