import HyphaBase
import HyphaFIB
import HyphaIdentity
import HyphaInterchange
import HyphaWire

/// Makes the forwarding table out of links, routes and peers; at most one in 5 ms, and only if something changed.
///
/// | destination | next hop |
/// |---|---|
/// | prefix that the router has a route for | its best next hop, or unreachable |
/// | own address and /64 | local |
/// | address and /64 of a connected neighbour's key | its link |
/// | address and /64 of a route's key | the link of the neighbour that it goes by, while that is connected |
///
/// Of several keys in one /64 the first known has the /64; the addresses stand for themselves.
struct FIBCompiler: Sendable {
    struct Entry: Equatable, Sendable {
        let prefix: Prefix
        let nextHop: NextHop
    }

    private var published: [Entry]?
    private var notBefore = Instant.zero
    private var isDue = false

    static let pauseMilliseconds: UInt64 = 5

    var nextDeadline: Instant? { isDue ? notBefore : nil }

    /// Something that the table is made of changed.
    mutating func changed() { isDue = true }

    /// The snapshot was not taken: once more later.
    mutating func refused(now: Instant) {
        published = nil
        isDue = true
        notBefore = now.advanced(byMilliseconds: FIBCompiler.pauseMilliseconds)
    }

    /// The next table; nil when it is too early or nothing changed.
    mutating func compile(
        links: PeerBook, flows: FlowSupervisor, routes: RouteControl, context: ControlContext, now: Instant
    ) -> ForwardingSnapshot? {
        guard isDue, now >= notBefore else { return nil }
        isDue = false
        let entries =
            routes.entries(flows: flows) + FIBCompiler.entries(links: links, flows: flows, context: context)
        guard entries != published else { return nil }
        published = entries
        notBefore = now.advanced(byMilliseconds: FIBCompiler.pauseMilliseconds)
        var builder = FIBBuilder()
        for entry in entries { builder.insert(entry.prefix, entry.nextHop) }
        return ForwardingSnapshot(fib: builder.build())
    }

    /// In an order that depends on what is there alone; of entries with the same prefix the last one holds.
    private static func entries(links: PeerBook, flows: FlowSupervisor, context: ControlContext) -> [Entry] {
        var destinations: [(address: IPv6Address, nextHop: NextHop)] = []
        for route in context.configuration.routes where route.key != context.identity.publicKey {
            guard let link = links.links(with: route.via).first(where: \.isConnected) else { continue }
            let peer = flows.id(of: route.key) ?? .max
            destinations.append((route.key.address, NextHop(kind: .link, link: link.id, peer: peer)))
        }
        var done: Set<PublicKey> = []
        for id in links.ids {
            // Of several links with one neighbour the one with the lowest id.
            guard let link = links[id], link.isConnected, done.insert(link.key).inserted else { continue }
            let peer = flows.id(of: link.key) ?? .max
            destinations.append((link.machine.address, NextHop(kind: .link, link: id, peer: peer)))
        }
        destinations.append((context.identity.address, NextHop(kind: .local)))
        return entries(destinations, owners: context.owners)
    }

    /// The address of each destination, and its /64 if it is the first known there.
    static func entries(_ destinations: [(address: IPv6Address, nextHop: NextHop)], owners: SubnetOwners) -> [Entry] {
        var entries: [Entry] = []
        for (address, nextHop) in destinations {
            if owners.owner(of: address) == address {
                entries.append(Entry(prefix: Prefix(address, length: 64), nextHop: nextHop))
            }
            entries.append(Entry(prefix: Prefix(address, length: 128), nextHop: nextHop))
        }
        return entries
    }
}
