/// One entry of a link control message or of an end-to-end control message.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 1 | type, 0x80 or above |
/// | 1 | 2 | length of the value in the low 15 bits, little-endian; bit 15: must be understood |
/// | 3 | | value |
public struct ControlTLV: Equatable, Sendable {
    public var type: UInt8
    public var value: [UInt8]

    public init(type: UInt8, value: [UInt8]) {
        self.type = type
        self.value = value
    }

    public static let pad: UInt8 = 0x80

    /// Which numbers a message may use.
    public enum Space: Sendable {
        /// Between neighbours.
        case link
        /// Between the ends of a session: only PAD means the same, nothing else is known.
        case endToEnd
    }

    /// Entries of a whole message in order, PAD included; nil when any rule is broken, so that nothing is acted on:
    /// an entry past the end, a type below 0x80, an unknown type that must be understood, or a known type from 0xA0 on
    /// of another length than it has. Unknown types are skipped by length.
    public static func parse(_ message: UnsafeRawBufferPointer, space: Space) -> [ControlTLV]? {
        var reader = ByteReader(message)
        var entries: [ControlTLV] = []
        while reader.remaining > 0 {
            guard let type = reader.uint8(), type >= 0x80, let word = reader.uint16(),
                let value = reader.take(Int(word & 0x7FFF))
            else { return nil }
            let mustUnderstand = word & 0x8000 != 0
            switch meaning(of: type, space: space) {
            case .known(let length):
                if let length, length != value.count { return nil }
                entries.append(ControlTLV(type: type, value: Array(value)))
            case .unknown:
                if mustUnderstand { return nil }
            }
        }
        return entries
    }

    /// Appends the wire form.
    public func append(to message: inout [UInt8]) {
        message.append(type)
        message.append(UInt8(truncatingIfNeeded: value.count))
        message.append(UInt8(truncatingIfNeeded: value.count >> 8) & 0x7F)
        message += value
    }

    private enum Meaning {
        /// With an exact length, if the type has one.
        case known(Int?)
        case unknown
    }

    private static func meaning(of type: UInt8, space: Space) -> Meaning {
        if type == pad { return .known(nil) }
        guard space == .link else { return .unknown }
        switch type {
        case 0x84, 0x85, 0x88, 0x89, 0x8A: return .known(nil)  // Babel
        case 0xA0: return .known(53)  // LIVE
        case 0xA1, 0xA2: return .known(8)  // CHALLENGE, ANSWER
        case 0xA3: return .known(4)  // PROBE
        case 0xA4: return .known(6)  // PROBE-ACK
        case 0xA5: return .known(16)  // LOOP
        case 0xC8: return .known(103)  // origin proof
        default: return .unknown
        }
    }
}
