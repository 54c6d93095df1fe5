public import HyphaBase

extension BabelTLV {
    /// "I heard you": the answer to a Hello.
    ///
    /// | off | size | field |
    /// |---|---|---|
    /// | 0 | 1 | address encoding: 0 none, 1 IPv4 (4 bytes), 2 IPv6 (16), 3 link-local IPv6 (8, behind fe80::/64) |
    /// | 1 | 1 | reserved, zero |
    /// | 2 | 2 | receive cost: the sender's cost of this link |
    /// | 4 | 2 | interval in centiseconds |
    /// | 6 | | address |
    public struct IHU: Hashable, Sendable {
        public static let type: UInt8 = 5

        public var receiveCost: UInt16
        /// Centiseconds.
        public var interval: UInt16
        /// IPv4 addresses in mapped form. Sent by nobody today.
        public var address: IPv6Address?

        public init(receiveCost: UInt16, interval: UInt16, address: IPv6Address? = nil) {
            self.receiveCost = receiveCost
            self.interval = interval
            self.address = address
        }

        func append(to bytes: inout [UInt8]) {
            let ipv4 = address?.mappedIPv4
            bytes.append(address == nil ? 0 : ipv4 == nil ? 2 : 1)
            bytes.append(0)
            bytes.appendNetworkUInt16(receiveCost)
            bytes.appendNetworkUInt16(interval)
            if let ipv4 {
                bytes.appendNetworkUInt16(UInt16(truncatingIfNeeded: ipv4 >> 16))
                bytes.appendNetworkUInt16(UInt16(truncatingIfNeeded: ipv4))
            } else if let address {
                bytes += address.bytes
            }
        }

        static func decode(_ reader: inout ByteReader) -> BabelTLVReading {
            guard let encoding = reader.uint8(), reader.uint8() != nil, let cost = reader.networkUInt16(),
                let interval = reader.networkUInt16()
            else { return .refused(.truncated) }
            var ihu = IHU(receiveCost: cost, interval: interval)
            switch encoding {
            case 0: break
            case 1:
                guard let ipv4 = reader.networkUInt32() else { return .refused(.truncated) }
                ihu.address = .mapped(ipv4: ipv4)
            case 2:
                guard let bytes = reader.take(16) else { return .refused(.truncated) }
                ihu.address = IPv6Address(bytes: bytes)
            case 3:
                guard let bytes = reader.take(8) else { return .refused(.truncated) }
                ihu.address = IPv6Address(bytes: [0xFE, 0x80, 0, 0, 0, 0, 0, 0] + bytes)
            default: return .refused(.addressEncoding)
            }
            return .tlv(.ihu(ihu), strayBits: false)
        }
    }
}
