import HyphaBase

/// Addresses in packets. These stand on the path of every packet.
extension IPv6Address {
    /// The 16 bytes from `offset` on, which are there.
    init(in bytes: [UInt8], at offset: Int) {
        self = bytes[offset..<offset + 16].withUnsafeBytes { raw in
            raw.baseAddress.map { IPv6Address(loading: $0) } ?? IPv6Address(high: 0, low: 0)
        }
    }

    func append(to bytes: inout [UInt8]) {
        withUnsafeBytes(of: high.bigEndian) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: low.bigEndian) { bytes.append(contentsOf: $0) }
    }
}
