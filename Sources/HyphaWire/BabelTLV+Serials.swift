extension BabelTLV {
    /// Which of all Updates of its sender on a link an Update is. On datagram links between hypha nodes, where Updates may
    /// get lost, it stands behind the body of every Update.
    ///
    /// | off | size | field |
    /// |---|---|---|
    /// | 0 | 2 | epoch: another one means that the sender began afresh |
    /// | 2 | 2 | serial: 0 for the first Update of an epoch, then one more each |
    public struct Serial: Hashable, Sendable {
        static let size = 4

        public var epoch: UInt16
        public var number: UInt16

        public init(epoch: UInt16, number: UInt16) {
            self.epoch = epoch
            self.number = number
        }

        func append(to bytes: inout [UInt8]) {
            bytes.appendNetworkUInt16(epoch)
            bytes.appendNetworkUInt16(number)
        }

        /// Nil when fewer bytes are left.
        init?(reading reader: inout ByteReader) {
            guard let epoch = reader.networkUInt16(), let number = reader.networkUInt16() else { return nil }
            self.init(epoch: epoch, number: number)
        }
    }

    /// How far a sender is with its Updates: behind the body of every Hello on such a link.
    ///
    /// | off | size | field |
    /// |---|---|---|
    /// | 0 | 2 | epoch |
    /// | 2 | 2 | serial that the next Update will have |
    /// | 4 | 2 | number of the last `Missing` that was answered in this epoch, else 0 |
    /// | 6 | 2 | epoch of the neighbour's Updates; this and the next are not there while none was heard of |
    /// | 8 | 2 | serial of the first one of them that is missing |
    public struct Progress: Hashable, Sendable {
        public var next: Serial
        public var answered: UInt16
        /// The neighbour's first Update that is missing: all before it were acted on.
        public var heard: Serial?

        public init(next: Serial, answered: UInt16, heard: Serial? = nil) {
            self.next = next
            self.answered = answered
            self.heard = heard
        }

        func append(to bytes: inout [UInt8]) {
            next.append(to: &bytes)
            bytes.appendNetworkUInt16(answered)
            heard?.append(to: &bytes)
        }

        /// Nil when fewer bytes are left than the first three fields have.
        init?(reading reader: inout ByteReader) {
            guard let next = Serial(reading: &reader), let answered = reader.networkUInt16() else { return nil }
            self.init(next: next, answered: answered, heard: Serial(reading: &reader))
        }
    }

    /// Updates that did not arrive: behind the body of a RouteRequest for everything on such a link.
    ///
    /// | off | size | field |
    /// |---|---|---|
    /// | 0 | 2 | epoch |
    /// | 2 | 2 | number of this request, from 1 on |
    /// | 4 | 4 each | up to 16 times the first serial and how many; without any: all Updates |
    public struct Missing: Hashable, Sendable {
        /// Most ranges in one request.
        public static let capacity = 16

        public struct Range: Hashable, Sendable {
            public var first: UInt16
            public var count: UInt16

            public init(first: UInt16, count: UInt16) {
                self.first = first
                self.count = count
            }
        }

        public var epoch: UInt16
        public var number: UInt16
        /// Those beyond `capacity` do not travel.
        public var ranges: [Range]

        public init(epoch: UInt16, number: UInt16, ranges: [Range]) {
            self.epoch = epoch
            self.number = number
            self.ranges = ranges
        }

        func append(to bytes: inout [UInt8]) {
            bytes.appendNetworkUInt16(epoch)
            bytes.appendNetworkUInt16(number)
            for range in ranges.prefix(Missing.capacity) {
                bytes.appendNetworkUInt16(range.first)
                bytes.appendNetworkUInt16(range.count)
            }
        }

        /// Nil when fewer bytes are left than the first two fields have.
        init?(reading reader: inout ByteReader) {
            guard let epoch = reader.networkUInt16(), let number = reader.networkUInt16() else { return nil }
            self.init(epoch: epoch, number: number, ranges: [])
            while ranges.count < Missing.capacity, reader.remaining >= Serial.size,
                let first = reader.networkUInt16(), let count = reader.networkUInt16()
            {
                ranges.append(Range(first: first, count: count))
            }
        }
    }
}
