extension BabelTLV {
    /// "I am here; answer with an IHU."
    ///
    /// | off | size | field |
    /// |---|---|---|
    /// | 0 | 2 | flags; 0x8000: unicast, the others are not looked at |
    /// | 2 | 2 | seqno, of its own for each link |
    /// | 4 | 2 | interval in centiseconds |
    /// | 6 | 6 or 10 | between hypha nodes on datagram links: `Progress` |
    public struct Hello: Hashable, Sendable {
        public static let type: UInt8 = 4
        /// Bytes that every Hello has.
        public static let size: UInt8 = 6

        public var isUnicast: Bool
        public var seqno: UInt16
        /// Centiseconds.
        public var interval: UInt16
        /// Nil towards and from stock nodes.
        public var progress: Progress?

        public init(isUnicast: Bool = true, seqno: UInt16, interval: UInt16, progress: Progress? = nil) {
            self.progress = progress
            self.isUnicast = isUnicast
            self.seqno = seqno
            self.interval = interval
        }

        func append(to bytes: inout [UInt8]) {
            bytes.appendNetworkUInt16(isUnicast ? 0x8000 : 0)
            bytes.appendNetworkUInt16(seqno)
            bytes.appendNetworkUInt16(interval)
            progress?.append(to: &bytes)
        }

        static func decode(_ reader: inout ByteReader, isNumbered: Bool) -> BabelTLVReading {
            guard let flags = reader.networkUInt16(), let seqno = reader.networkUInt16(),
                let interval = reader.networkUInt16()
            else { return .refused(.truncated) }
            let progress = isNumbered ? Progress(reading: &reader) : nil
            return .tlv(
                .hello(
                    Hello(isUnicast: flags & 0x8000 != 0, seqno: seqno, interval: interval, progress: progress)),
                strayBits: false)
        }
    }
}
