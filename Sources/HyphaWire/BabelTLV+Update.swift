extension BabelTLV {
    /// "I reach this prefix at this metric", or, with an infinite metric, "no longer".
    ///
    /// | off | size | field |
    /// |---|---|---|
    /// | 0 | 1 | address encoding, 2 |
    /// | 1 | 1 | flags 0x80 and 0x40, without meaning; the others are reserved |
    /// | 2 | 1 | prefix length |
    /// | 3 | 1 | omitted bytes: zero, there is no compression |
    /// | 4 | 2 | interval in centiseconds |
    /// | 6 | 2 | seqno of the origin |
    /// | 8 | 2 | metric from the sender; 65535 is infinite |
    /// | 10 | n | prefix |
    /// | 10 + n | 40 | router id of the origin; not a TLV of its own as in RFC 8966 |
    /// | 50 + n | 4 | between hypha nodes on datagram links: `Serial` |
    public struct Update: Hashable, Sendable {
        public static let type: UInt8 = 8

        /// Only the upper two bits are kept.
        public var flags: UInt8
        /// Centiseconds.
        public var interval: UInt16
        public var seqno: UInt16
        public var metric: UInt16
        public var prefix: Prefix
        public var routerID: RouterID
        /// Nil towards and from stock nodes.
        public var serial: Serial?

        public init(
            prefix: Prefix, routerID: RouterID, seqno: UInt16, metric: UInt16, interval: UInt16, flags: UInt8 = 0,
            serial: Serial? = nil
        ) {
            self.serial = serial
            self.flags = flags & 0xC0
            self.interval = interval
            self.seqno = seqno
            self.metric = metric
            self.prefix = prefix
            self.routerID = routerID
        }

        func append(to bytes: inout [UInt8]) {
            bytes += [2, flags & 0xC0, UInt8(truncatingIfNeeded: prefix.length), 0]
            bytes.appendNetworkUInt16(interval)
            bytes.appendNetworkUInt16(seqno)
            bytes.appendNetworkUInt16(metric)
            bytes.appendPrefix(prefix)
            routerID.append(to: &bytes)
            serial?.append(to: &bytes)
        }

        static func decode(_ reader: inout ByteReader, isNumbered: Bool) -> BabelTLVReading {
            guard let encoding = reader.uint8(), let flags = reader.uint8(), let length = reader.uint8(),
                reader.uint8() != nil, let interval = reader.networkUInt16(), let seqno = reader.networkUInt16(),
                let metric = reader.networkUInt16()
            else { return .refused(.truncated) }
            if let refusal = BabelTLVPrefix.refusal(encoding: encoding, length: length) { return .refused(refusal) }
            guard let prefix = BabelTLVPrefix.read(&reader, length: length),
                let routerID = RouterID(reading: &reader)
            else { return .refused(.truncated) }
            let update = Update(
                prefix: prefix.value, routerID: routerID, seqno: seqno, metric: metric, interval: interval,
                flags: flags, serial: isNumbered ? Serial(reading: &reader) : nil)
            return .tlv(.update(update), strayBits: prefix.strayBits)
        }
    }
}
