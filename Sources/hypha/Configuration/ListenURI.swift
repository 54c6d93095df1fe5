internal import HyphaBase

/// A UDP address to listen on: `hl1://[::]:9651`. Literal addresses only; port 0 takes any free port.
struct ListenURI: Hashable, Sendable {
    let address: SocketAddress

    /// All addresses of both families.
    static let everywhere = ListenURI(
        address: SocketAddress(address: IPv6Address(high: 0, low: 0), port: LinkURI.defaultPort))

    private init(address: SocketAddress) { self.address = address }

    init(parsing text: String) throws(InvalidValue) {
        let uri = try LinkURI(parsing: text)
        guard uri.user == nil, uri.query.isEmpty else {
            throw InvalidValue("must hold an address and a port only, hl1://[::]:9651")
        }
        guard case .address(let host, zone: "") = uri.host else {
            throw InvalidValue("must have a literal address without a zone, as hl1://[::]:9651")
        }
        address = SocketAddress(address: host, port: uri.port)
    }
}

extension ListenURI: CustomStringConvertible {
    var description: String { "hl1://\(address)" }
}
