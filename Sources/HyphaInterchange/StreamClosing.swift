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
