/// The Babel packet in which TLVs travel on streams to stock nodes.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 1 | magic, 42 |
/// | 1 | 1 | version, 3 |
/// | 2 | 2 | length of the body, big-endian |
/// | 4 | 1 | type of the TLV |
/// | 5 | 1 | length of its body |
/// | 6 | | its body |
///
/// Exactly one TLV is sent in each: a stock node loses step at a second one. All of a packet's TLVs are read.
public enum BabelTLVPacket {
    public static let magic: UInt8 = 42
    public static let version: UInt8 = 3
    /// Bytes in front of the body.
    public static let headerSize = 4

    /// Appends a whole packet.
    public static func append(_ tlv: BabelTLV, to bytes: inout [UInt8]) {
        let body = tlv.body
        bytes += [magic, version]
        bytes.appendNetworkUInt16(UInt16(truncatingIfNeeded: body.count + 2))
        bytes += [tlv.type, UInt8(truncatingIfNeeded: body.count)]
        bytes += body
    }

    /// Every TLV of a packet in order. A packet that is malformed as such gives one refusal; a TLV that is malformed
    /// gives one in its place. Bytes behind the body are not looked at.
    public static func read(_ packet: UnsafeRawBufferPointer) -> [BabelTLVReading] {
        var reader = ByteReader(packet)
        guard let magic = reader.uint8(), let version = reader.uint8(), let length = reader.networkUInt16() else {
            return [.refused(.truncated)]
        }
        guard magic == self.magic else { return [.refused(.magic)] }
        guard version == self.version else { return [.refused(.version)] }
        guard length > 0, let body = reader.take(Int(length)) else { return [.refused(.truncated)] }
        return read(body: body)
    }

    /// Every TLV of a packet's body, which stands behind the header, in order. A TLV that is malformed gives one refusal;
    /// behind one that does not end nothing is read.
    public static func read(body: UnsafeRawBufferPointer) -> [BabelTLVReading] {
        var readings: [BabelTLVReading] = []
        var reader = ByteReader(body)
        while let type = reader.uint8() {
            // A single byte of padding (RFC 8966 section 4.6.1).
            if type == 0 { continue }
            guard let size = reader.uint8(), let value = reader.take(Int(size)) else {
                readings.append(.refused(.truncated))
                break
            }
            readings.append(BabelTLV.decode(type: type, body: value))
        }
        return readings
    }

    /// How many of them are Hellos that can be read, without making anything of the others.
    @inlinable
    public static func helloCount(body: UnsafeRawBufferPointer) -> Int {
        var count = 0
        var reader = ByteReader(body)
        while let type = reader.uint8() {
            if type == 0 { continue }
            guard let size = reader.uint8(), reader.take(Int(size)) != nil else { break }
            if type == BabelTLV.Hello.type, size >= BabelTLV.Hello.size { count &+= 1 }
        }
        return count
    }

    /// As above, from an array.
    public static func read(_ packet: [UInt8]) -> [BabelTLVReading] {
        packet.withUnsafeBytes { read($0) }
    }
}
