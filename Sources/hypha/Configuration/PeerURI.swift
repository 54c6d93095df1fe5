internal import HyphaBase
internal import HyphaIdentity

/// Where a peer is reached: `hl1://KEY@host:port` or `hl1://host:port?key=KEY` with the key that it must prove,
/// `tcp://host:port` for what speaks the stock protocol, which proves none.
struct PeerURI: Hashable, Sendable {
    /// Key of the peer, 64 hex digits in the URI; nil for `tcp://`.
    let key: PublicKey?
    /// Host name, IPv4 address, or IPv6 address without brackets and with its %zone.
    let host: String
    /// UDP or TCP port, never 0.
    let port: UInt16

    init(parsing text: String) throws(InvalidValue) {
        let uri = try LinkURI(parsing: text)
        key =
            switch uri.scheme {
            case .hl1: try PeerURI.key(of: uri)
            case .tcp: try PeerURI.noKey(of: uri)
            }
        switch uri.host {
        case .name(let name):
            host = name
        case .address(let address, let zone):
            guard PeerURI.isOneHost(address) else {
                throw InvalidValue("must have the address of one host, not \(address)")
            }
            if let ipv4 = address.mappedIPv4 {
                host = "\(ipv4 >> 24).\(ipv4 >> 16 & 255).\(ipv4 >> 8 & 255).\(ipv4 & 255)"
            } else {
                host = "\(address)" + (zone.isEmpty ? "" : "%" + zone)
            }
        }
        port = uri.port
        guard port != 0 else { throw InvalidValue("must have a port from 1 to 65535, not 0") }
    }

    /// The one key that the URI of an HL1 link must name.
    private static func key(of uri: LinkURI) throws(InvalidValue) -> PublicKey {
        var keys = uri.user.map { [$0] } ?? []
        for (name, value) in uri.query {
            guard name == "key" else {
                throw InvalidValue("has the unknown parameter \(PrintableText.quote(name)), only key= is known")
            }
            keys.append(value)
        }
        guard let hex = keys.first else {
            throw InvalidValue(
                "this version needs the key of the peer, hl1://KEY@host:port (the peer's \"hypha inspect\")")
        }
        guard keys.count == 1 else { throw InvalidValue("names the key of the peer twice") }
        return try key(hex)
    }

    /// A TCP link is made with whoever answers: a key in its URI would promise a check that there is none of.
    private static func noKey(of uri: LinkURI) throws(InvalidValue) -> PublicKey? {
        guard uri.user == nil, !uri.query.contains(where: { $0.name == "key" }) else {
            throw InvalidValue(
                "takes no key: nobody proves a key on a tcp:// link (a hypha peer has hl1://KEY@host:port as well)")
        }
        if let (name, _) = uri.query.first {
            throw InvalidValue("has the unknown parameter \(PrintableText.quote(name)), tcp:// has none")
        }
        return nil
    }

    /// False for ::, 0.0.0.0, multicast, and IPv4 from 224.0.0.0 on.
    private static func isOneHost(_ address: IPv6Address) -> Bool {
        if let ipv4 = address.mappedIPv4 { return ipv4 != 0 && ipv4 < 0xE000_0000 }
        return address != IPv6Address(high: 0, low: 0) && address.high >> 56 != 0xFF
    }

    /// A public key of 64 hex digits.
    static func key(_ hex: String) throws(InvalidValue) -> PublicKey {
        guard hex.utf8.count == 64 else {
            throw InvalidValue("must have a key of 64 hex digits, this one has \(hex.utf8.count) characters")
        }
        guard let key = PublicKey(hex: hex) else {
            throw InvalidValue("must have a key of 64 hex digits, not \(PrintableText.quote(hex))")
        }
        return key
    }
}

extension PeerURI: CustomStringConvertible {
    var description: String {
        let place = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        return key.map { "hl1://\($0.hex)@\(place)" } ?? "tcp://\(place)"
    }
}
