/// Something a worker found out about the kernel while running, and has already acted on.
public enum OffloadChange: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    /// Trains of more than 64 datagrams are refused: trains are cut at 64 from now on.
    case segmentLimit
    /// Trains are refused altogether: every datagram is sent by itself from now on.
    case segmentationRefused
    /// Multishot reads are refused: the TUN is read one packet at a time from now on.
    case multishotReadRefused
    /// The TUN device no longer answers; it is not read any more.
    case tunLost
    /// A UDP socket no longer answers; it is not read any more.
    case socketLost

    /// One line for the log.
    public var description: String {
        switch self {
        case .segmentLimit: "the kernel refuses UDP trains of more than 64 datagrams (EINVAL): trains are cut at 64"
        case .segmentationRefused:
            "the outgoing device refuses UDP trains (EIO, no checksum offload): datagrams are sent singly"
        case .multishotReadRefused: "the kernel refuses multishot reads of the TUN: it is read packet by packet"
        case .tunLost: "the TUN device was removed or fails every read: nothing is read from it until a restart"
        case .socketLost: "a UDP socket fails every receive: nothing is received on it until a restart"
        }
    }
}
