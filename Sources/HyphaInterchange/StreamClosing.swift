/// Why a TCP connection ended, as `Notice.slot` carries it.
@frozen
public struct StreamClosing: BitwiseCopyable, Equatable, Sendable {
    /// errno of the connection, 0 for an orderly end.
    public var error: UInt16
    /// 1 + `StreamEnd` when this node closed it because of what came or did not come; 0 otherwise.
    public var end: UInt8

    public init(error: UInt16 = 0, end: UInt8 = 0) {
        self.error = error
        self.end = end
    }

    public init(slot: UInt32) {
        error = UInt16(truncatingIfNeeded: slot)
        end = UInt8(truncatingIfNeeded: slot &>> 16)
    }

    public var slot: UInt32 { UInt32(error) | UInt32(end) &<< 16 }
}

extension StreamClosing: CustomStringConvertible {
    /// A few words for people.
    public var description: String {
        switch end {
        case 1: "it sent a frame of another protocol version"
        case 2: "it sent a frame of a type that does not exist"
        case 3: "it did not send a whole frame in time"
        case 4: "it said nothing for too long"
        case 5: "it did not finish a frame in time"
        case 6: "it took nothing of what waited for it"
        case 7...: "it broke a rule (\(end))"
        default: error == 0 ? "by the other side" : SystemErrorText.describe(UInt32(error))
        }
    }
}
