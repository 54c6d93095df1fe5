import CSodium
public import HyphaBase

/// Cookies: proof that a sender of INIT or RESP receives at the address that it sends from.
///
/// The COOKIE message, 64 bytes:
///
/// | off | len | field |
/// |---|---|---|
/// | 0 | 4 | type 3, version 1, zero 2 |
/// | 4 | 4 | receiver index: sender index of the message answered |
/// | 8 | 24 | nonce, random |
/// | 32 | 32 | cookie 16, XChaCha20-Poly1305 with mac1 of the message answered as associated data, and tag |
public enum Cookie {
    /// Size of a cookie in bytes.
    public static let size = 16
    /// Size of the nonce in a COOKIE message in bytes.
    public static let nonceSize = Int(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES)

    /// The COOKIE message, 64 bytes, that gives `cookie` to the sender of `message`, an INIT or RESP whose mac1 is
    /// valid. `nonce`: 24 random bytes; `identity`: our own. Empty when a size is another or `message` is neither.
    public static func make(
        answering message: [UInt8], cookie: [UInt8], nonce: [UInt8], identity: NodeIdentity, scope: HandshakeScope
    ) -> [UInt8] {
        guard let mac1 = HandshakeMessage.mac1(of: message), let index = HandshakeMessage.senderIndex(of: message),
            cookie.count == size, nonce.count == nonceSize
        else { return [] }
        var sealed = [UInt8](repeating: 0, count: sealedSize)
        _ = unsafe crypto_aead_xchacha20poly1305_ietf_encrypt(
            &sealed, nil, cookie, UInt64(cookie.count), mac1, UInt64(mac1.count), nil, nonce,
            scope.cookieKey(from: identity.publicKey))
        var out = [HandshakeMessage.cookieType, HandshakeMessage.version, 0, 0]
        out.append(littleEndian: index)
        return out + nonce + sealed
    }

    /// The 16-byte cookie in a COOKIE message that answers `sent`, an INIT or RESP of ours (mac2 does not matter), from
    /// the node with the key `sender`; nil unless it is authentic. To be asked only while the handshake is open.
    public static func open(
        _ message: [UInt8], answering sent: [UInt8], sender: PublicKey, scope: HandshakeScope
    ) -> [UInt8]? {
        guard
            HandshakeMessage.hasHeader(
                message, type: HandshakeMessage.cookieType, size: HandshakeMessage.cookieSize),
            message[2] == 0, message[3] == 0, let mac1 = HandshakeMessage.mac1(of: sent),
            let index = HandshakeMessage.senderIndex(of: sent), message.littleEndian(at: 4) == index
        else { return nil }
        let nonce = Array(message[8..<32])
        let sealed = Array(message[32...])
        var cookie = [UInt8](repeating: 0, count: size)
        let result = unsafe crypto_aead_xchacha20poly1305_ietf_decrypt(
            &cookie, nil, nil, sealed, UInt64(sealed.count), mac1, UInt64(mac1.count), nonce,
            scope.cookieKey(from: sender))
        return result == 0 ? cookie : nil
    }

    /// An INIT or RESP again, with mac2 for `cookie` (16 bytes); anything else comes back as it is.
    public static func applyMAC2(to message: [UInt8], cookie: [UInt8]) -> [UInt8] {
        guard let offset = HandshakeMessage.mac1Offset(in: message), cookie.count == size else { return message }
        return HandshakeMessage.appendingMAC2(to: message[..<(offset + HandshakeMessage.macSize)], cookie: cookie)
    }

    /// The cookie of an underlay sender. Only its maker reads it, so nothing needs to be kept per sender.
    ///
    /// - Parameters:
    ///   - secret: 16 random bytes that rotate; another size is a programming error.
    ///   - family: 4 or 6.
    ///   - address: IPv4 as ::ffff:a.b.c.d.
    ///   - epoch: number of the secret.
    public static func value(
        secret: [UInt8], family: UInt8, address: IPv6Address, port: UInt16, epoch: UInt64
    ) -> [UInt8] {
        var input = [family] + address.bytes
        input.append(littleEndian: port)
        input.append(littleEndian: epoch)
        return SipHash.hash128(key: secret, input)
    }

    /// The cookie of an end-to-end sender: its overlay address and the link (our number for it) that it came by. Never
    /// equal to one of an underlay sender but by chance, as the input is longer.
    public static func value(
        secret: [UInt8], overlaySource: IPv6Address, ingressLink: UInt64, epoch: UInt64
    ) -> [UInt8] {
        var input = overlaySource.bytes
        input.append(littleEndian: ingressLink)
        input.append(littleEndian: epoch)
        return SipHash.hash128(key: secret, input)
    }

    private static let sealedSize = size + Int(crypto_aead_xchacha20poly1305_ietf_ABYTES)
}
