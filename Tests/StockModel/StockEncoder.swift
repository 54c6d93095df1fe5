import HyphaBase

/// Frames as a stock node writes them: 4 bytes of header, then a data packet, or a Babel packet around one TLV.
public enum StockEncoder {
    /// Flags 0x8000, interval 2000 cs.
    public static func hello(seqno: UInt16, flags: UInt16 = 0x8000, interval: UInt16 = 2_000) -> [UInt8] {
        StockModel.control(type: 4, two(flags) + two(seqno) + two(interval))
    }

    /// Address encoding 0 for an empty address, 2 for 16 bytes and 1 for 4; interval 6000 cs.
    public static func ihu(cost: UInt16, interval: UInt16 = 6_000, address: [UInt8] = []) -> [UInt8] {
        let encoding: UInt8 = address.isEmpty ? 0 : address.count == 4 ? 1 : 2
        return StockModel.control(type: 5, [encoding, 0] + two(cost) + two(interval) + address)
    }

    /// The router id stands behind the prefix.
    public static func update(
        _ subnet: StockSubnet, routerID: [UInt8], seqno: UInt16, metric: UInt16, interval: UInt16 = 30_000,
        flags: UInt8 = 0
    ) -> [UInt8] {
        let fields = [2, flags, UInt8(subnet.length), 0] + two(interval) + two(seqno) + two(metric)
        return StockModel.control(type: 8, fields + subnet.bytes + routerID)
    }

    /// Nil asks for everything.
    public static func routeRequest(_ subnet: StockSubnet?, generation: UInt8) -> [UInt8] {
        guard let subnet else { return StockModel.control(type: 9, [generation, 0, 0]) }
        return StockModel.control(type: 9, [generation, 2, UInt8(subnet.length)] + subnet.bytes)
    }

    /// The router id stands before the prefix.
    public static func seqnoRequest(
        _ subnet: StockSubnet, routerID: [UInt8], seqno: UInt16, hopCount: UInt8
    ) -> [UInt8] {
        let fields = [2, UInt8(subnet.length)] + two(seqno) + [hopCount, 0]
        return StockModel.control(type: 10, fields + routerID + subnet.bytes)
    }

    /// Appends a data frame.
    public static func append(_ datagram: StockDatagram, to frames: inout [UInt8]) {
        let length = datagram.payload.count
        for byte in [1, 0, 0, 0, 0, length >> 8, length, Int(datagram.hopLimit)] {
            frames.append(UInt8(truncatingIfNeeded: byte))
        }
        datagram.source.append(to: &frames)
        datagram.destination.append(to: &frames)
        frames += datagram.payload
    }

    private static func two(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)] }
}
