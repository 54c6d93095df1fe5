/// What may be sent to a stock node. Its decoder loses step, closes, or stops for good over control frames that a careful
/// one would skip, so every frame passes here on its way out.
///
/// | TLV | what passes |
/// |---|---|
/// | 4 Hello | 6 bytes |
/// | 5 IHU | 6 bytes, address encoding 0 |
/// | 8 Update | encoding 2, length up to 128, spare bits of the prefix zero, router id: 50 bytes and the prefix |
/// | 9 route request | encoding 2 as above, or 0 with length 0: 3 bytes and the prefix |
/// | 10 seqno request | encoding 2 as above, hop count above 0: 46 bytes and the prefix |
///
/// Exactly one TLV a frame, of exactly its natural length.
public enum StockSafety {
    /// Whether a stock node takes the control frame as it is meant. Header included.
    public static func isSafe(control frame: UnsafeRawBufferPointer) -> Bool {
        guard let body = StockFrame.controlBody(frame), frame[2] == 0, frame[3] == 0 else { return false }
        var reader = ByteReader(body)
        guard let type = reader.uint8(), let length = reader.uint8(), reader.remaining == Int(length),
            let tlv = reader.take(Int(length))
        else { return false }
        switch type {
        case 4: return tlv.count == 6
        case 5: return tlv.count == 6 && tlv[0] == 0
        case 8: return tlv.count >= 50 && tlv[0] == 2 && isPrefix(tlv, bits: Int(tlv[2]), at: 10, behind: 40)
        case 9:
            guard tlv.count >= 3 else { return false }
            if tlv[1] == 0 { return tlv[2] == 0 && tlv.count == 3 }
            return tlv[1] == 2 && isPrefix(tlv, bits: Int(tlv[2]), at: 3, behind: 0)
        case 10:
            return tlv.count >= 46 && tlv[0] == 2 && tlv[4] > 0 && isPrefix(tlv, bits: Int(tlv[1]), at: 46, behind: 0)
        default: return false
        }
    }

    /// Whether a data frame is whole and addressed: header included.
    @inlinable @inline(__always)
    public static func isSafe(data frame: UnsafeRawBufferPointer) -> Bool {
        guard let base = frame.baseAddress, frame.count >= StockData.headerSize,
            base.load(as: UInt8.self) == StockFrame.version,
            base.load(fromByteOffset: 1, as: UInt8.self) == StockFrame.Kind.data.rawValue
        else { return false }
        return StockData.headerSize &+ StockData.payloadLength(base) == frame.count
    }

    /// Whether a prefix of `bits` bits stands at `offset` with `behind` bytes after it, its spare bits zero.
    private static func isPrefix(_ tlv: UnsafeRawBufferPointer, bits: Int, at offset: Int, behind: Int) -> Bool {
        let bytes = (bits + 7) / 8
        guard bits <= 128, tlv.count == offset + bytes + behind else { return false }
        guard bits & 7 != 0 else { return true }
        return tlv[offset + bytes - 1] & (0xFF >> UInt8(bits & 7)) == 0
    }
}
