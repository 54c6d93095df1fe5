import HyphaBase
import HyphaFIB
import HyphaPacket
import HyphaWire

/// Room for the lookups of one vector. Neighbouring packets for one destination share a lookup. A handle.
struct RouteScratch {
    private let addresses: UnsafeMutablePointer<IPv6Address>
    private let results: UnsafeMutablePointer<NextHop>
    /// The lookup that packet i shares.
    private let lookups: UnsafeMutablePointer<UInt16>

    init() {
        addresses = .allocate(capacity: PacketVector.capacity)
        addresses.initialize(repeating: IPv6Address(high: 0, low: 0), count: PacketVector.capacity)
        results = .allocate(capacity: PacketVector.capacity)
        lookups = .allocate(capacity: PacketVector.capacity)
        lookups.initialize(repeating: 0, count: PacketVector.capacity)
        results.initialize(repeating: NextHop(kind: .none), count: PacketVector.capacity)
    }

    func deallocate() {
        addresses.deallocate()
        results.deallocate()
        lookups.deallocate()
    }

    /// Looks up all undecided packets of the vector; returns how many there are.
    func lookUp(_ vector: PacketVector, _ context: borrowing StageContext) -> Int {
        var undecided = 0
        var distinct = 0
        for i in 0..<vector.count {
            let packet = vector.packets + i
            guard packet.pointee.disposition == .undecided else { continue }
            undecided &+= 1
            let bytes = context.pool.base(packet.pointee.buffer) + Int(packet.pointee.offset)
            let destination = RoutingHeader.destination(bytes + LinkHeader.size)
            if distinct == 0 || addresses[distinct &- 1] != destination {
                addresses[distinct] = destination
                distinct &+= 1
            }
            lookups[i] = UInt16(truncatingIfNeeded: distinct &- 1)
        }
        if distinct > 0 { context.fib.lookup(UnsafePointer(addresses), count: distinct, into: results) }
        return undecided
    }

    @inline(__always)
    func nextHop(_ packet: Int) -> NextHop { results[Int(lookups[packet])] }
}
