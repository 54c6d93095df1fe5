internal import HyphaBase

/// A UDP address or a TCP address to listen on: `hl1://[::]:9651`, `tcp://[::]:9651`. Literal addresses only; port 0 takes
/// any free port.
struct ListenURI: Hashable, Sendable {
    let scheme: LinkURI.Scheme
    let address: SocketAddress

    /// All addresses of both families.
    static func everywhere(_ scheme: LinkURI.Scheme, port: UInt16 = LinkURI.defaultPort) -> ListenURI {
        ListenURI(scheme: scheme, address: SocketAddress(address: IPv6Address(high: 0, low: 0), port: port))
    }

    private init(scheme: LinkURI.Scheme, address: SocketAddress) {
        self.scheme = scheme
        self.address = address
    }

    init(parsing text: String) throws(InvalidValue) {
        let uri = try LinkURI(parsing: text)
        let example = ListenURI.everywhere(uri.scheme)
        guard uri.user == nil, uri.query.isEmpty else {
            throw InvalidValue("must hold an address and a port only, \(example)")
        }
        guard case .address(let host, zone: "") = uri.host else {
            throw InvalidValue("must have a literal address without a zone, as \(example)")
        }
        scheme = uri.scheme
        address = SocketAddress(address: host, port: uri.port)
    }
}

extension ListenURI: CustomStringConvertible {
    var description: String { "\(scheme.rawValue)://\(address)" }
}
