/// A packet of the message subsystem: the content of a stock body of kind 1 and of a native body of kind 1. Network byte
/// order.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 8 | message id, drawn by the sender |
/// | 8 | 2 | flags |
/// | 10 | 2 | reserved: sent as 0, ignored |
/// | 12 | | body |
///
/// | flags | body |
/// |---|---|
/// | INIT | message length 8, topic length 1, topic; its ACK ends before the topic |
/// | CHUNK | index 8, offset 8, size 8, data; its ACK has no data |
/// | DONE | number of chunks 8, BLAKE3-256 of the message 32 |
/// | READ, ABORTED | none |
public struct StockMessage: Equatable, Sendable {
    public static let headerSize = 12

    /// Bits of the flags field; those without a name are ignored.
    public struct Flags: OptionSet, Sendable {
        public let rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        public static let initiate = Flags(rawValue: 0x8000)
        public static let done = Flags(rawValue: 0x4000)
        public static let aborted = Flags(rawValue: 0x2000)
        public static let chunk = Flags(rawValue: 0x1000)
        public static let read = Flags(rawValue: 0x0800)
        /// With INIT: the message answers the one with this id.
        public static let reply = Flags(rawValue: 0x0400)
        public static let ack = Flags(rawValue: 0x0100)
    }

    public enum Body: Equatable, Sendable {
        case initiate(length: UInt64, topic: [UInt8], isReply: Bool)
        case initiateAck(length: UInt64, topicLength: UInt8, isReply: Bool)
        case chunk(index: UInt64, offset: UInt64, data: [UInt8])
        case chunkAck(index: UInt64, offset: UInt64, size: UInt64)
        /// The hash has 32 bytes.
        case done(chunks: UInt64, hash: [UInt8], isAck: Bool)
        case read
        case aborted
    }

    public var id: UInt64
    public var body: Body

    public init(id: UInt64, body: Body) {
        self.id = id
        self.body = body
    }

    /// From content; nil when it is none of the packets above. Bytes behind a body are ignored.
    public init?(_ content: UnsafeRawBufferPointer) {
        var reader = ByteReader(content)
        guard let id = reader.networkUInt64(), let bits = reader.networkUInt16(), reader.networkUInt16() != nil else {
            return nil
        }
        self.id = id
        let flags = Flags(rawValue: bits)
        let isAck = flags.contains(.ack)
        let kinds: Flags = [.initiate, .done, .aborted, .chunk, .read]
        switch flags.intersection(kinds) {
        case .initiate:
            guard let length = reader.networkUInt64(), let topicLength = reader.uint8() else { return nil }
            let isReply = flags.contains(.reply)
            if isAck {
                body = .initiateAck(length: length, topicLength: topicLength, isReply: isReply)
            } else {
                guard let topic = reader.take(Int(topicLength)) else { return nil }
                body = .initiate(length: length, topic: Array(topic), isReply: isReply)
            }
        case .chunk:
            guard let index = reader.networkUInt64(), let offset = reader.networkUInt64(),
                let size = reader.networkUInt64()
            else { return nil }
            if isAck {
                body = .chunkAck(index: index, offset: offset, size: size)
            } else {
                guard let count = Int(exactly: size), let data = reader.take(count) else { return nil }
                body = .chunk(index: index, offset: offset, data: Array(data))
            }
        case .done:
            guard let chunks = reader.networkUInt64(), let hash = reader.take(32) else { return nil }
            body = .done(chunks: chunks, hash: Array(hash), isAck: isAck)
        case .read: body = .read
        case .aborted: body = .aborted
        default: return nil
        }
    }

    /// The wire form; topics are cut at 255 bytes.
    public var bytes: [UInt8] {
        var flags: Flags
        var out: [UInt8] = []
        switch body {
        case .initiate(let length, let topic, let isReply):
            flags = isReply ? [.initiate, .reply] : .initiate
            let topic = topic.prefix(255)
            out.append(network: length)
            out.append(UInt8(topic.count))
            out += topic
        case .initiateAck(let length, let topicLength, let isReply):
            flags = isReply ? [.initiate, .reply, .ack] : [.initiate, .ack]
            out.append(network: length)
            out.append(topicLength)
        case .chunk(let index, let offset, let data):
            flags = .chunk
            for value in [index, offset, UInt64(data.count)] { out.append(network: value) }
            out += data
        case .chunkAck(let index, let offset, let size):
            flags = [.chunk, .ack]
            for value in [index, offset, size] { out.append(network: value) }
        case .done(let chunks, let hash, let isAck):
            flags = isAck ? [.done, .ack] : .done
            out.append(network: chunks)
            out += hash
        case .read: flags = .read
        case .aborted: flags = .aborted
        }
        var header: [UInt8] = []
        header.append(network: id)
        header.append(network: flags.rawValue)
        header.append(network: UInt16(0))
        return header + out
    }
}

extension Array where Element == UInt8 {
    fileprivate mutating func append<Value: FixedWidthInteger>(network value: Value) {
        for shift in stride(from: Value.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> Value(shift)))
        }
    }
}
