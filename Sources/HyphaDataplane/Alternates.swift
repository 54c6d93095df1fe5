import HyphaFIB
import HyphaPacket

/// The hop that a packet takes: the best one of a lookup, or an alternate while the best one's link cannot take it. Control
/// need not have heard of it: alternates are next hops along which no loop can close.
///
/// | the link of the best hop | the hop |
/// |---|---|
/// | can be used and is not suspect | the best |
/// | else | the first alternate like that, never back to where the packet came from |
/// | can be used, and no alternate is like that | the best |
/// | cannot be used | the first alternate that can, suspect or not; none: the best, which then ends the packet |
@inline(__always)
func usableHop(
    _ hop: NextHop, for packet: UnsafeMutablePointer<Descriptor>, _ context: borrowing StageContext
) -> NextHop {
    guard needsAlternate(hop, context) else { return hop }
    return alternate(of: hop, from: context.arrivalLink(packet.pointee), context)
}

/// The same for a packet that enters the overlay here.
@inline(__always)
func usableHop(_ hop: NextHop, _ context: borrowing StageContext) -> NextHop {
    guard needsAlternate(hop, context) else { return hop }
    return alternate(of: hop, from: .max, context)
}

@inline(__always)
private func needsAlternate(_ hop: NextHop, _ context: borrowing StageContext) -> Bool {
    guard hop.alternate != 0, let link = context.links[hop.link] else { return hop.alternate != 0 }
    return !link.pointee.isUsable || link.pointee.liveness.isSuspect
}

@inline(never)
private func alternate(of best: NextHop, from ingress: UInt32, _ context: borrowing StageContext) -> NextHop {
    var fallback = best
    var isUsable = context.links[best.link]?.pointee.isUsable ?? false
    var hop = best
    while let next = context.fib.alternate(of: hop) {
        hop = next
        guard hop.link != ingress, let link = context.links[hop.link], link.pointee.isUsable else { continue }
        if !link.pointee.liveness.isSuspect { return hop }
        if !isUsable {
            fallback = hop
            isUsable = true
        }
    }
    return fallback
}
