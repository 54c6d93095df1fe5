import CSodium

/// The clear parts that the handshake messages share. All numbers are little-endian; offsets in bytes.
///
/// | | INIT, 168 | RESP, 148 | COOKIE, 64 |
/// |---|---|---|---|
/// | type | 0 (= 1) | 0 (= 2) | 0 (= 3) |
/// | version = 1 | 1 | 1 | 1 |
/// | suites | 2, 2 bytes: offered | 2, 2 bytes: chosen | 2, 2 bytes: zero |
/// | sender index | 4, 4 bytes | 4, 4 bytes | - |
/// | receiver index | - | 8, 4 bytes | 4, 4 bytes |
/// | Noise message | 8, 128 bytes | 12, 104 bytes | - |
/// | nonce, sealed cookie | - | - | 8, 24 bytes; 32, 32 bytes |
/// | mac1 | 136, 16 bytes | 116, 16 bytes | - |
/// | mac2 | 152, 16 bytes | 132, 16 bytes | - |
///
/// No function here trusts the length of what it is given.
public enum HandshakeMessage {
    /// Size of INIT in bytes.
    public static let initSize = 168
    /// Size of RESP in bytes.
    public static let respSize = 148
    /// Size of COOKIE in bytes.
    public static let cookieSize = 64
    /// Size of mac1 and mac2 in bytes.
    public static let macSize = 16

    static let initType: UInt8 = 1
    static let respType: UInt8 = 2
    static let cookieType: UInt8 = 3
    static let version: UInt8 = 1
    static let initMAC1Offset = 136
    static let respMAC1Offset = 116

    /// The sender index of an INIT or RESP; nil for anything else. It may be zero, which is invalid.
    public static func senderIndex(of message: [UInt8]) -> UInt32? {
        mac1Offset(in: message) == nil ? nil : message.littleEndian(at: 4)
    }

    /// The receiver index of a RESP or COOKIE: whose handshake it answers; nil for anything else.
    public static func receiverIndex(of message: [UInt8]) -> UInt32? {
        if hasHeader(message, type: respType, size: respSize) { return message.littleEndian(at: 8) }
        if hasHeader(message, type: cookieType, size: cookieSize) { return message.littleEndian(at: 4) }
        return nil
    }

    /// The 16 bytes of mac1 of an INIT or RESP, unchecked: what tells two messages apart; nil for anything else.
    public static func mac1(of message: [UInt8]) -> [UInt8]? {
        guard let offset = mac1Offset(in: message) else { return nil }
        return Array(message[offset..<offset + macSize])
    }

    static func hasHeader(_ message: [UInt8], type: UInt8, size: Int) -> Bool {
        message.count == size && message[0] == type && message[1] == version
    }

    /// Where mac1 stands in an INIT or RESP; nil for anything else. mac2 follows it and ends the message.
    static func mac1Offset(in message: [UInt8]) -> Int? {
        if hasHeader(message, type: initType, size: initSize) { return initMAC1Offset }
        if hasHeader(message, type: respType, size: respSize) { return respMAC1Offset }
        return nil
    }

    /// mac1 over `body`, all that stands before it.
    static func mac1(body: ArraySlice<UInt8>, key: [UInt8]) -> [UInt8] {
        BLAKE2b.hash(macSize, key: key, body)
    }

    /// True when mac1 of this INIT or RESP was made with `key`.
    static func hasMAC1(_ message: [UInt8], key: [UInt8]) -> Bool {
        guard let offset = mac1Offset(in: message) else { return false }
        return equal(mac1(body: message[..<offset], key: key), message[offset..<offset + macSize])
    }

    /// True when mac2 of this INIT or RESP was made with `cookie` (16 bytes).
    static func hasMAC2(_ message: [UInt8], cookie: [UInt8]) -> Bool {
        guard let offset = mac1Offset(in: message), cookie.count == Cookie.size else { return false }
        let body = message[..<(offset + macSize)]
        return equal(BLAKE2b.hash(macSize, key: cookie, body), message[(offset + macSize)...])
    }

    /// `body`, all of an INIT or RESP before mac2, with mac2 behind it: zero without a cookie of 16 bytes.
    static func appendingMAC2(to body: ArraySlice<UInt8>, cookie: [UInt8]?) -> [UInt8] {
        guard let cookie, cookie.count == Cookie.size else { return body + [UInt8](repeating: 0, count: macSize) }
        return body + BLAKE2b.hash(macSize, key: cookie, body)
    }

    /// Compares in a time that does not depend on where the first difference is.
    private static func equal(_ left: [UInt8], _ right: ArraySlice<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        return unsafe right.withUnsafeBufferPointer { right in
            guard let base = right.baseAddress else { return true }
            return unsafe sodium_memcmp(left, base, left.count) == 0
        }
    }
}
