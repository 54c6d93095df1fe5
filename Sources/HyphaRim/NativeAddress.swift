internal import CKernel
internal import HyphaBase

extension chy_address {
    /// The C side's form of an address.
    init(_ address: SocketAddress) {
        self.init()
        withUnsafeMutableBytes(of: &ip) { bytes in
            if let start = bytes.baseAddress { address.address.store(to: start) }
        }
        scope = address.scope
        port = address.port
    }

    /// Back from the C side's form.
    var socketAddress: SocketAddress {
        withUnsafeBytes(of: ip) { bytes in
            let address = bytes.baseAddress.map { IPv6Address(loading: $0) } ?? IPv6Address(high: 0, low: 0)
            return SocketAddress(address: address, port: port, scope: scope)
        }
    }
}
