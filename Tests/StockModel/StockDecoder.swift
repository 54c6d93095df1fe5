import HyphaBase

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
    /// Why the whole process aborts: an update or a route request had a prefix with bits beyond its length.
    public private(set) var abort: String?
    /// What a well-behaved node would not have written.
    public private(set) var oddities = StockOddities()
    private var phase = Phase.header
    private var buffer: [UInt8] = []
    private var position = 0
    /// The seqno that the next Hello must have; any before the first.
    private var nextHello: UInt16?

    public init() {}

    /// Hands the oddities over and forgets them.
    public mutating func takeOddities() -> StockOddities {
        defer { oddities = StockOddities() }
        return oddities
    }

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
                oddities.note(.badHeader, header)
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
        let hopLimit = buffer[position + 3]
        position += 4
        let (source, destination) = (take(16), take(16))
        phase = .header
        return .data(hopLimit: hopLimit, source: source, destination: destination, payload: take(length))
    }

    private mutating func decodeControl() -> StockPacket? {
        guard remaining >= 4 else { return nil }
        let length = Int(buffer[position + 2]) << 8 | Int(buffer[position + 3])
        guard remaining >= 4 + length else { return nil }
        let header = take(4)
        guard header[0] == 42, header[1] == 3 else {
            oddities.note(.babelHeader, header)
            position += length
            return nil
        }
        let body = position
        let type = take(1).first ?? 0
        let tlvLength = Int(take(1).first ?? 0)
        guard state == .running else {
            oddities.note(.shortBody, header)
            return nil
        }
        let packet: StockPacket?
        switch type {
        case 4: packet = hello()
        case 5: packet = ihu(tlvLength)
        case 8: packet = update(tlvLength)
        case 9: packet = routeRequest(tlvLength)
        case 10: packet = seqnoRequest(tlvLength, body: body, length: length)
        default:
            oddities.note(.unknownTLV, [type, UInt8(tlvLength)])
            position = min(buffer.count, body + length)
            packet = nil
        }
        guard state == .running, let packet else {
            if state == .panicked { oddities.note(.shortBody, [type, UInt8(tlvLength)]) }
            return nil
        }
        if position < body + length { oddities.note(.bytesBehindTLV, buffer[body..<body + length]) }
        if position > body + length { oddities.note(.shortBody, buffer[body..<position]) }
        if position - body - 2 != tlvLength { oddities.note(.tlvLength, buffer[body..<position]) }
        phase = .header
        return packet
    }

    private mutating func hello() -> StockPacket {
        let fields = take(6)
        let seqno = number(fields, 2)
        if number(fields, 0) != 0x8000 || number(fields, 4) != 2_000 { oddities.note(.helloFields, fields) }
        if let nextHello, nextHello != seqno { oddities.note(.helloSeqno, fields) }
        nextHello = seqno &+ 1
        return .hello
    }

    private mutating func ihu(_ length: Int) -> StockPacket? {
        let fields = take(6)
        guard state == .running else { return nil }
        guard let size = [0: 0, 1: 4, 2: 16, 3: 8][fields[0]] else {
            oddities.note(.addressEncoding, fields)
            skip(length - 6)
            return nil
        }
        if fields[0] != 0 { oddities.note(.addressEncoding, fields) }
        if fields[1] != 0 || number(fields, 4) != 6_000 { oddities.note(.ihuFields, fields) }
        _ = take(size)
        return .ihu
    }

    private mutating func update(_ length: Int) -> StockPacket? {
        let fields = take(10)
        guard state == .running else { return nil }
        if fields[0] != 2 { oddities.note(.addressEncoding, fields) }
        guard fields[0] <= 3 else {
            skip(length - 10)
            return nil
        }
        guard let prefix = self.prefix(encoding: fields[0], length: fields[2], aborts: "an update") else { return nil }
        if fields[1] != 0 || fields[3] != 0 { oddities.note(.updateFields, fields) }
        // 0 is what a retracted route has past its expiry.
        if ![0, 30_000].contains(number(fields, 4)) { oddities.note(.updateInterval, fields) }
        let routerID = self.routerID()
        return .update(
            prefix: prefix, length: fields[2], seqno: number(fields, 6), metric: number(fields, 8),
            interval: number(fields, 4), routerID: routerID)
    }

    private mutating func routeRequest(_ length: Int) -> StockPacket? {
        let fields = take(3)
        guard state == .running else { return nil }
        if fields[0] > 15 { oddities.note(.generation, fields) }
        guard fields[1] <= 3 else {
            oddities.note(.addressEncoding, fields)
            skip(length - 3)
            return nil
        }
        // A wildcard leaves the bytes of its prefix in the stream.
        guard fields[1] != 0 else {
            if fields[2] != 0 { oddities.note(.prefixLength, fields) }
            return .routeRequest(generation: fields[0], prefix: [], length: 0)
        }
        if fields[1] != 2 { oddities.note(.addressEncoding, fields) }
        let what = "a route request"
        guard var prefix = self.prefix(encoding: fields[1], length: fields[2], aborts: what) else { return nil }
        if fields[1] == 1 { controlPlaneStopped = true }
        // ::/0 is a subnet like any other and asks for no table.
        if prefix.isEmpty { prefix = [UInt8](repeating: 0, count: 16) }
        return .routeRequest(generation: fields[0], prefix: prefix, length: fields[2])
    }

    private mutating func seqnoRequest(_ tlvLength: Int, body: Int, length: Int) -> StockPacket? {
        let fields = take(6)
        guard state == .running else { return nil }
        if fields[0] != 2 { oddities.note(.addressEncoding, fields) }
        guard fields[0] <= 3 else {
            skip(tlvLength - 6)
            return nil
        }
        if !(1...64).contains(fields[4]) { oddities.note(.hopCount, fields) }
        guard fields[4] > 0 else {
            position = min(buffer.count, body + length)
            return nil
        }
        let routerID = self.routerID()
        guard let prefix = self.prefix(encoding: fields[0], length: fields[1], aborts: nil) else { return nil }
        return .seqnoRequest(
            prefix: prefix, length: fields[1], seqno: number(fields, 2), hopCount: fields[4], routerID: routerID)
    }

    private mutating func routerID() -> [UInt8] {
        let bytes = take(40)
        if bytes[32] != 0 || bytes[33] != 0 { oddities.note(.routerIDZone, bytes[32...]) }
        return bytes
    }

    /// Reads a prefix; one with bits beyond its length ends the process when `aborts` says what it came in. A length that
    /// its encoding does not allow is dropped without skipping what follows.
    private mutating func prefix(encoding: UInt8, length: UInt8, aborts: String?) -> [UInt8]? {
        let limit: UInt8 = [0: 0, 1: 32, 2: 128, 3: 64][encoding] ?? 0
        guard length <= limit else {
            oddities.note(.prefixLength, [encoding, length])
            return nil
        }
        // What is implied stands in front, so that nobody takes it for an ordinary prefix.
        if encoding == 3 { return [0xFE, 0x80, 0, 0, 0, 0, 0, 0] + take(8) }
        let bytes = take((Int(length) + 7) / 8)
        if encoding == 2, length != 64 { oddities.note(.prefixNot64, [length] + bytes) }
        if encoding == 2, length & 7 != 0, let last = bytes.last, last & (0xFF >> (length & 7)) != 0 {
            mayAbort = true
            oddities.note(.strayBits, [length] + bytes)
            if let aborts { abort = "\(aborts) for a /\(length) has bits beyond the length: \(Hex.encode(bytes))" }
        }
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
