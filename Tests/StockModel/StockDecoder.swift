/// Reads a stream as mycelium 0.7.10 does, with its habits: it needs more than 4 bytes before it looks at a header, reads
/// one TLV a body, trusts no length but its own, and after a TLV that it does not know goes on believing that it is inside
/// a control packet.
public struct StockDecoder: Sendable {
    public enum State: Equatable, Sendable {
        case running
        /// The connection is closed: unknown version or type.
        case closed
        /// The connection's task died; the node keeps the dead peer until it misses its IHUs.
        case panicked
    }

    private enum Phase { case header, data, control }

    public private(set) var state = State.running
    /// A route request with an IPv4 prefix came: the node's control plane is dead.
    public private(set) var controlPlaneStopped = false
    /// A prefix with bits beyond its length came: it may abort the whole process.
    public private(set) var mayAbort = false
    private var phase = Phase.header
    private var buffer: [UInt8] = []
    private var position = 0

    public init() {}

    /// The next packets after another read of the socket.
    public mutating func receive(_ chunk: [UInt8]) -> [StockPacket] {
        guard state == .running else { return [] }
        buffer.removeFirst(position)
        position = 0
        buffer += chunk
        var packets: [StockPacket] = []
        while state == .running, let packet = decode() { packets.append(packet) }
        return packets
    }

    private var remaining: Int { buffer.count - position }

    /// One packet; nil waits for the next read, also where something was dropped.
    private mutating func decode() -> StockPacket? {
        if phase == .header {
            guard remaining > 4 else { return nil }
            let header = take(4)
            guard header[0] == 1, header[1] <= 1 else {
                state = .closed
                return nil
            }
            phase = header[1] == 0 ? .data : .control
        }
        return phase == .data ? decodeData() : decodeControl()
    }

    private mutating func decodeData() -> StockPacket? {
        guard remaining >= 4 else { return nil }
        let length = Int(buffer[position + 1]) << 8 | Int(buffer[position + 2])
        guard remaining >= 36 + length else { return nil }
        let header = take(4)
        let (source, destination) = (take(16), take(16))
        phase = .header
        return .data(hopLimit: header[3], source: source, destination: destination, payload: take(length))
    }

    private mutating func decodeControl() -> StockPacket? {
        guard remaining >= 4 else { return nil }
        let length = Int(buffer[position + 2]) << 8 | Int(buffer[position + 3])
        guard remaining >= 4 + length else { return nil }
        let header = take(4)
        guard header[0] == 42, header[1] == 3 else {
            position += length
            return nil
        }
        let body = position
        let type = take(1).first ?? 0
        let tlvLength = Int(take(1).first ?? 0)
        guard state == .running else { return nil }
        let packet: StockPacket?
        switch type {
        case 4:
            _ = take(6)
            packet = .hello
        case 5: packet = ihu(tlvLength)
        case 8: packet = update(tlvLength)
        case 9: packet = routeRequest(tlvLength)
        case 10: packet = seqnoRequest(tlvLength, body: body, length: length)
        default:
            position = min(buffer.count, body + length)
            packet = nil
        }
        guard state == .running, let packet else { return nil }
        phase = .header
        return packet
    }

    private mutating func ihu(_ length: Int) -> StockPacket? {
        let fields = take(6)
        guard state == .running else { return nil }
        guard let size = [0: 0, 1: 4, 2: 16, 3: 8][fields[0]] else {
            skip(length - 6)
            return nil
        }
        _ = take(size)
        return .ihu
    }

    private mutating func update(_ length: Int) -> StockPacket? {
        let fields = take(10)
        guard state == .running else { return nil }
        guard fields[0] <= 3 else {
            skip(length - 10)
            return nil
        }
        guard let prefix = self.prefix(encoding: fields[0], length: fields[2]) else { return nil }
        let routerID = take(40)
        return .update(
            prefix: prefix, length: fields[2], seqno: number(fields, 6), metric: number(fields, 8),
            interval: number(fields, 4), routerID: routerID)
    }

    private mutating func routeRequest(_ length: Int) -> StockPacket? {
        let fields = take(3)
        guard state == .running else { return nil }
        guard fields[1] <= 3 else {
            skip(length - 3)
            return nil
        }
        // A wildcard leaves the bytes of its prefix in the stream.
        guard fields[1] != 0 else { return .routeRequest(generation: fields[0], prefix: [], length: 0) }
        guard let prefix = self.prefix(encoding: fields[1], length: fields[2]) else { return nil }
        if fields[1] == 1 { controlPlaneStopped = true }
        return .routeRequest(generation: fields[0], prefix: prefix, length: fields[2])
    }

    private mutating func seqnoRequest(_ tlvLength: Int, body: Int, length: Int) -> StockPacket? {
        let fields = take(6)
        guard state == .running else { return nil }
        guard fields[0] <= 3 else {
            skip(tlvLength - 6)
            return nil
        }
        guard fields[4] > 0 else {
            position = min(buffer.count, body + length)
            return nil
        }
        let routerID = take(40)
        guard let prefix = self.prefix(encoding: fields[0], length: fields[1]) else { return nil }
        return .seqnoRequest(
            prefix: prefix, length: fields[1], seqno: number(fields, 2), hopCount: fields[4], routerID: routerID)
    }

    /// Reads a prefix. A length that its encoding does not allow is dropped without skipping what follows.
    private mutating func prefix(encoding: UInt8, length: UInt8) -> [UInt8]? {
        let limit: UInt8 = [0: 0, 1: 32, 2: 128, 3: 64][encoding] ?? 0
        guard length <= limit else { return nil }
        let bytes = take(encoding == 3 ? 8 : (Int(length) + 7) / 8)
        if encoding == 2, length & 7 != 0, let last = bytes.last, last & (0xFF >> (length & 7)) != 0 { mayAbort = true }
        return bytes
    }

    private mutating func take(_ count: Int) -> [UInt8] {
        guard state == .running, remaining >= count else {
            state = .panicked
            return [UInt8](repeating: 0, count: count)
        }
        defer { position += count }
        return Array(buffer[position..<position + count])
    }

    private mutating func skip(_ count: Int) { position = min(buffer.count, position + max(0, count)) }

    private func number(_ bytes: [UInt8], _ offset: Int) -> UInt16 {
        UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
    }
}
