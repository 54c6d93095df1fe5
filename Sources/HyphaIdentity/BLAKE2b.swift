import CSodium

/// BLAKE2b (RFC 7693) with the output size as its parameter, its own keyed mode, and HMAC and HKDF over it as Noise
/// defines them (The Noise Protocol Framework, revision 34, section 4.3).
enum BLAKE2b {
    /// Output size of the unkeyed hash that Noise uses, in bytes.
    static let hashSize = 64
    private static let blockSize = 128

    /// `size` bytes (1...64) of BLAKE2b over `input`, keyed with `key` (0...64 bytes, none for the plain hash).
    static func hash(_ size: Int, key: [UInt8] = [], _ input: ArraySlice<UInt8>) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: size)
        unsafe key.withUnsafeBufferPointer { key in
            unsafe input.withUnsafeBufferPointer { input in
                unsafe compute(&out, size, key: key, input)
            }
        }
        return out
    }

    /// As above with a secret key and an output that is none.
    static func hash(_ size: Int, key: SecretBytes, _ input: ArraySlice<UInt8>) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: size)
        unsafe key.withBytes { key in
            unsafe input.withUnsafeBufferPointer { input in
                unsafe compute(&out, size, key: key, input)
            }
        }
        return out
    }

    /// As above with a secret key and a secret output.
    static func derive(_ size: Int, key: SecretBytes, _ input: [UInt8]) -> SecretBytes {
        unsafe SecretBytes(count: size) { out in
            unsafe key.withBytes { key in
                unsafe input.withUnsafeBufferPointer { input in
                    unsafe compute(out, size, key: key, input)
                }
            }
        }
    }

    /// HMAC-BLAKE2b-512 (RFC 2104 with 128-byte blocks). `key`: at most 128 bytes.
    static func hmac(key: SecretBytes, _ input: SecretBytes) -> SecretBytes {
        unsafe SecretBytes(count: hashSize) { out in
            unsafe key.withBytes { key in
                unsafe input.withBytes { input in
                    unsafe hmac(into: out, key: key, input, suffix: nil)
                }
            }
        }
    }

    /// The first `outputs` (1...3) values of 64 bytes of Noise's HKDF.
    static func hkdf(chainingKey: SecretBytes, _ input: SecretBytes, outputs: Int) -> [SecretBytes] {
        let temporary = hmac(key: chainingKey, input)
        var values: [SecretBytes] = []
        for number in 1...UInt8(outputs) {
            let previous = values.last
            let next = unsafe SecretBytes(count: hashSize) { out in
                unsafe temporary.withBytes { key in
                    guard let previous else {
                        unsafe hmac(into: out, key: key, UnsafeBufferPointer(start: nil, count: 0), suffix: number)
                        return
                    }
                    unsafe previous.withBytes { unsafe hmac(into: out, key: key, $0, suffix: number) }
                }
            }
            values.append(next)
        }
        return values
    }

    /// Writes HMAC(key, input ‖ suffix) to the 64 bytes at `out`.
    private static func hmac(
        into out: UnsafeMutablePointer<UInt8>, key: UnsafeBufferPointer<UInt8>, _ input: UnsafeBufferPointer<UInt8>,
        suffix: UInt8?
    ) {
        precondition(key.count <= blockSize, "HMAC keys of this protocol fit one block")
        let messageSize = input.count + (suffix == nil ? 0 : 1)
        let size = blockSize + max(messageSize, hashSize)
        unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: size) { buffer in
            unsafe buffer.initialize(repeating: 0x36)
            for i in 0..<key.count { unsafe buffer[i] ^= key[i] }
            for i in 0..<input.count { unsafe buffer[blockSize + i] = input[i] }
            if let suffix { unsafe buffer[blockSize + input.count] = suffix }
            unsafe compute(
                out, hashSize, key: UnsafeBufferPointer(start: nil, count: 0),
                UnsafeBufferPointer(rebasing: buffer[..<(blockSize + messageSize)]))
            for i in 0..<blockSize { unsafe buffer[i] = 0x5C }
            for i in 0..<key.count { unsafe buffer[i] ^= key[i] }
            for i in 0..<hashSize { unsafe buffer[blockSize + i] = out[i] }
            unsafe compute(
                out, hashSize, key: UnsafeBufferPointer(start: nil, count: 0),
                UnsafeBufferPointer(rebasing: buffer[..<(blockSize + hashSize)]))
            unsafe sodium_memzero(buffer.baseAddress, size)
        }
    }

    private static func compute(
        _ out: UnsafeMutablePointer<UInt8>, _ size: Int, key: UnsafeBufferPointer<UInt8>,
        _ input: UnsafeBufferPointer<UInt8>
    ) {
        let result = unsafe crypto_generichash(
            out, size, input.baseAddress, UInt64(input.count), key.baseAddress, key.count)
        // Fails for sizes that BLAKE2b does not have, and all sizes here are constants or checked before.
        precondition(result == 0, "BLAKE2b output or key size")
    }
}
