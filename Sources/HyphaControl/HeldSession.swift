import HyphaBase
import HyphaIdentity

/// What control keeps about a session that the worker has.
struct HeldSession: Sendable {
    let slot: UInt32
    /// The index that we put into packets to the peer.
    let remoteIndex: UInt32
    let isInitiator: Bool
    let suite: UInt8
    let lanes: Int
    /// When the key was agreed.
    let created: Instant
    /// Where the INIT (as responder) or the RESP (as initiator) came from.
    let path: HandshakePath
    /// Largest datagram, or end-to-end body, that the peer takes, bytes.
    let largestDatagram: UInt16
    /// Random number of the peer's run: another one means that it started again.
    var bootID: UInt64 = 0
    /// Time of the INIT that it came from, as responder.
    let initTime: InitTime
    /// When its keys became usable both ways as far as this end knows: RESP as initiator, first packet as responder.
    var settled: Instant
    /// True once a valid packet came in under it.
    var isConfirmed: Bool
}
