extension BabelTLV {
    /// "Who reaches this prefix?", or, without a prefix, "tell me all your routes".
    ///
    /// | off | size | field |
    /// |---|---|---|
    /// | 0 | 1 | generation: how often it was passed on; in front of all else, unlike RFC 8966 |
    /// | 1 | 1 | address encoding: 0 wildcard, 2 IPv6 |
    /// | 2 | 1 | prefix length, 0 for the wildcard |
    /// | 3 | n | prefix |
    /// | 3 | 4 and more | of a wildcard between hypha nodes on datagram links: `Missing` |
    public struct RouteRequest: Hashable, Sendable {
        public static let type: UInt8 = 9

        public var generation: UInt8
        /// Nil asks for everything.
        public var prefix: Prefix?
        /// What of everything; nil towards and from stock nodes, and with a prefix.
        public var missing: Missing?

        public init(generation: UInt8 = 0, prefix: Prefix?, missing: Missing? = nil) {
            self.generation = generation
            self.missing = missing
            self.prefix = prefix
        }

        func append(to bytes: inout [UInt8]) {
            guard let prefix else {
                bytes += [generation, 0, 0]
                missing?.append(to: &bytes)
                return
            }
            bytes += [generation, 2, UInt8(truncatingIfNeeded: prefix.length)]
            bytes.appendPrefix(prefix)
        }

        static func decode(_ reader: inout ByteReader, isNumbered: Bool) -> BabelTLVReading {
            guard let generation = reader.uint8(), let encoding = reader.uint8(), let length = reader.uint8() else {
                return .refused(.truncated)
            }
            if encoding == 0, length == 0 {
                let missing = isNumbered ? Missing(reading: &reader) : nil
                return .tlv(
                    .routeRequest(RouteRequest(generation: generation, prefix: nil, missing: missing)),
                    strayBits: false)
            }
            if let refusal = BabelTLVPrefix.refusal(encoding: encoding, length: length) { return .refused(refusal) }
            guard let prefix = BabelTLVPrefix.read(&reader, length: length) else { return .refused(.truncated) }
            return .tlv(
                .routeRequest(RouteRequest(generation: generation, prefix: prefix.value)),
                strayBits: prefix.strayBits)
        }
    }
}
