extension BabelTLV {
    /// "Let the origin announce this prefix with this seqno or a newer one": asked by a node whose routes all are
    /// infeasible.
    ///
    /// | off | size | field |
    /// |---|---|---|
    /// | 0 | 1 | address encoding, 2 |
    /// | 1 | 1 | prefix length |
    /// | 2 | 2 | seqno |
    /// | 4 | 1 | hop count, starts at 64; zero is malformed |
    /// | 5 | 1 | reserved, zero |
    /// | 6 | 40 | router id; before the prefix, the other way round than in an Update |
    /// | 46 | n | prefix |
    public struct SeqnoRequest: Hashable, Sendable {
        public static let type: UInt8 = 10

        public var seqno: UInt16
        /// At least 1.
        public var hopCount: UInt8
        public var routerID: RouterID
        public var prefix: Prefix

        public init(prefix: Prefix, routerID: RouterID, seqno: UInt16, hopCount: UInt8 = 64) {
            self.seqno = seqno
            self.hopCount = max(1, hopCount)
            self.routerID = routerID
            self.prefix = prefix
        }

        func append(to bytes: inout [UInt8]) {
            bytes += [2, UInt8(truncatingIfNeeded: prefix.length)]
            bytes.appendNetworkUInt16(seqno)
            bytes += [max(1, hopCount), 0]
            routerID.append(to: &bytes)
            bytes.appendPrefix(prefix)
        }

        static func decode(_ reader: inout ByteReader) -> BabelTLVReading {
            guard let encoding = reader.uint8(), let length = reader.uint8(), let seqno = reader.networkUInt16(),
                let hopCount = reader.uint8(), reader.uint8() != nil, let routerID = RouterID(reading: &reader)
            else { return .refused(.truncated) }
            if hopCount == 0 { return .refused(.hopCount) }
            if let refusal = BabelTLVPrefix.refusal(encoding: encoding, length: length) { return .refused(refusal) }
            guard let prefix = BabelTLVPrefix.read(&reader, length: length) else { return .refused(.truncated) }
            let request = SeqnoRequest(prefix: prefix.value, routerID: routerID, seqno: seqno, hopCount: hopCount)
            return .tlv(.seqnoRequest(request), strayBits: prefix.strayBits)
        }
    }
}
