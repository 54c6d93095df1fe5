import CSodium
import HyphaWire

/// Seals and opens link messages and end-to-end bodies byte by byte from their description, with libsodium alone.
enum Seal {
    /// Four zero bytes and the counter, lowest byte first.
    static func nonce(_ counter: UInt64) -> [UInt8] {
        [0, 0, 0, 0] + little(counter, 8)
    }

    static func little(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }

    static func seal(suite: UInt8, key: [UInt8], counter: UInt64, ad: [UInt8], _ plain: [UInt8]) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: plain.count + 16)
        let seal = suite == 2 ? crypto_aead_aes256gcm_encrypt : crypto_aead_chacha20poly1305_ietf_encrypt
        _ = seal(&out, nil, plain, UInt64(plain.count), ad, UInt64(ad.count), nil, nonce(counter), key)
        return out
    }

    static func open(suite: UInt8, key: [UInt8], counter: UInt64, ad: [UInt8], _ sealed: [UInt8]) -> [UInt8]? {
        guard sealed.count >= 16 else { return nil }
        var out = [UInt8](repeating: 0, count: sealed.count - 16)
        let open = suite == 2 ? crypto_aead_aes256gcm_decrypt : crypto_aead_chacha20poly1305_ietf_decrypt
        let result = open(
            &out, nil, nil, sealed, UInt64(sealed.count), ad, UInt64(ad.count), nonce(counter), key)
        return result == 0 ? out : nil
    }

    static func linkHeader(type: UInt8, lane: UInt8, index: UInt32, counter: UInt64) -> [UInt8] {
        [type, lane, 0, 0] + little(UInt64(index), 4) + little(counter, 8)
    }

    /// Type 4, or 6.
    static func full(
        type: UInt8 = 4, suite: UInt8, key: [UInt8], index: UInt32, lane: UInt8, counter: UInt64, _ inner: [UInt8]
    ) -> [UInt8] {
        let header = linkHeader(type: type, lane: lane, index: index, counter: counter)
        return header + seal(suite: suite, key: key, counter: counter, ad: header, inner)
    }

    /// Type 5.
    static func header(
        suite: UInt8, key: [UInt8], index: UInt32, lane: UInt8, counter: UInt64, route: [UInt8], body: [UInt8]
    ) -> [UInt8] {
        let header = linkHeader(type: 5, lane: lane, index: index, counter: counter)
        let ad = header + little(UInt64(body.count), 2) + body.suffix(16)
        return header + seal(suite: suite, key: key, counter: counter, ad: ad, route) + body
    }

    /// Routing header, body and whatever else a type 4, 5 or 6 datagram carries; nil when its seal is not good.
    static func openLink(suite: UInt8, keys: [[UInt8]], _ datagram: [UInt8]) -> [UInt8]? {
        guard datagram.count >= 32, datagram[1] < 16 else { return nil }
        let header = Array(datagram[..<16])
        let counter = datagram[8..<16].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let key = keys[Int(datagram[1])]
        if datagram[0] == 4 || datagram[0] == 6 {
            return open(suite: suite, key: key, counter: counter, ad: header, Array(datagram[16...]))
        }
        guard datagram[0] == 5, datagram.count >= 96 else { return nil }
        let body = Array(datagram[80...])
        let ad = header + little(UInt64(body.count), 2) + body.suffix(16)
        return open(suite: suite, key: key, counter: counter, ad: ad, Array(datagram[16..<80])).map { $0 + body }
    }

    static func route(
        kind: UInt8, flags: UInt8 = 0, hopLimit: UInt8 = 64, flow: UInt16 = 0, index: UInt32 = 0, counter: UInt64 = 0,
        source: [UInt8], destination: [UInt8]
    ) -> [UInt8] {
        [kind << 4 | flags, hopLimit] + little(UInt64(flow), 2) + little(UInt64(index), 4) + little(counter, 8)
            + source + destination
    }

    /// A routing header with flags and hop limit zero.
    static func flowAD(_ route: [UInt8]) -> [UInt8] { [route[0] & 0xF0, 0] + route[2..<48] }

    /// Routing header and sealed body for a plaintext, kind byte and pad included.
    static func flow(suite: UInt8, keys: [[UInt8]], route: [UInt8], _ plain: [UInt8]) -> [UInt8] {
        let counter = route[8..<16].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return route
            + seal(suite: suite, key: keys[Int(route[3] >> 4)], counter: counter, ad: flowAD(route), plain)
    }

    /// The plaintext behind a routing header; nil when the seal is not good.
    static func openFlow(suite: UInt8, keys: [[UInt8]], _ packet: [UInt8]) -> [UInt8]? {
        guard packet.count >= 64, keys.count == 16 else { return nil }
        let route = Array(packet[..<48])
        let counter = route[8..<16].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return open(
            suite: suite, key: keys[Int(route[3] >> 4)], counter: counter, ad: flowAD(route), Array(packet[48...]))
    }

    /// BLAKE2b with 32 bytes of output.
    static func blake2b(key: [UInt8], _ input: [UInt8]) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: 32)
        crypto_generichash(&out, 32, input, UInt64(input.count), key, key.count)
        return out
    }

    /// The sixteen lane keys of a direction.
    static func laneKeys(_ label: String, direction: [UInt8], suite: UInt8) -> [[UInt8]] {
        (0..<16).map { blake2b(key: direction, Array(label.utf8) + [UInt8($0), suite, 0]) }
    }
}
