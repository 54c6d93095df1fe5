import CAEAD
import HyphaBase
import HyphaFIB
import HyphaPacket
import HyphaSession

/// What the stages of one worker share: handles on its memory, and this turn's view of routes and time.
///
/// A value of handles; copying it copies nothing but pointers.
struct StageContext {
    let pool: PacketPool
    let counters: WorkerCounters
    let linkSessions: SessionTable
    let flowSessions: SessionTable
    let links: LinkTable
    let peers: PeerTable
    /// This worker's AEAD context.
    let aead: OpaquePointer
    /// Room for one job per packet of a vector.
    let jobs: UnsafeMutablePointer<caead_job>
    /// The packet that a job belongs to.
    let jobPackets: UnsafeMutablePointer<UInt16>
    let ownAddress: IPv6Address
    /// How packets that enter the overlay here are sealed on the first link.
    let entryMode: SealMode
    /// The lane that this worker seals data on, when the session has it.
    let dataLane: UInt8
    let routeUse = RouteUse()
    /// Whether control finds routes for packets that wait for one.
    let asksForRoutes: Bool
    var fib: FIBView
    var now: Instant
    /// Whole seconds of `now`, for the rate of a lane.
    var second: UInt64

    /// In `Descriptor.link` of a packet that came over TCP: the other bits are its link.
    static let streamArrival: UInt32 = 1 << 31

    /// The link that a packet came in on, before `route` decided; max for one that was made here.
    @inline(__always)
    func arrivalLink(_ packet: borrowing Descriptor) -> UInt32 {
        if packet.link == .max { return .max }
        if packet.link & StageContext.streamArrival != 0 { return packet.link & ~StageContext.streamArrival }
        return linkSessions.record(packet.link).pointee.owner
    }
}
