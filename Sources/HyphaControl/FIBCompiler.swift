import HyphaBase
import HyphaFIB
import HyphaIdentity
import HyphaInterchange
import HyphaWire

/// Makes the forwarding table out of links, routes and peers; at most one in 5 ms, and only if something changed.
///
/// | destination | next hop |
/// |---|---|
/// | as the last two lines, while that neighbour does not answer | the same |
/// | prefix that the router has a route for | its best next hop, or unreachable |
/// | own address and /64 | local |
/// | address and /64 of a connected neighbour's key | its link |
/// | address and /64 of a route's key | the link of the neighbour that it goes by, while that is connected |
///
/// A next hop of the router has the router's others as alternates, and so has a neighbour's own link: it leads to the
/// destination itself, so no loop can close over it. A configured route has none.
///
/// Of several keys in one /64 the first known has the /64; the addresses stand for themselves.
struct FIBCompiler: Sendable {
    struct Entry: Equatable, Sendable {
        let prefix: Prefix
        let nextHop: NextHop
        /// What to use while `nextHop` cannot be, best first.
        var alternates: [NextHop] = []
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
        var (silent, answering) = FIBCompiler.entries(links: links, flows: flows, context: context)
        let routed = routes.entries(flows: flows)
        FIBCompiler.addAlternates(to: &answering, from: routed, links: links)
        let entries = silent + routed + answering
        guard entries != published else { return nil }
        published = entries
        notBefore = now.advanced(byMilliseconds: FIBCompiler.pauseMilliseconds)
        var builder = FIBBuilder()
        for entry in entries { builder.insert(entry.prefix, entry.nextHop, alternates: entry.alternates) }
        return ForwardingSnapshot(fib: builder.build())
    }

    /// Gives the links of neighbours the router's other ways to the same key. `routed`: in the order of the prefixes.
    static func addAlternates(to entries: inout [Entry], from routed: [Entry], links: PeerBook) {
        for i in entries.indices {
            let (prefix, hop) = (entries[i].prefix, entries[i].nextHop)
            guard hop.kind == .link, hop.peer != .max, let neighbour = links[hop.link]?.machine.address,
                prefix == Prefix(neighbour, length: prefix.length)
            else { continue }
            var low = 0
            var high = routed.count
            while low < high {
                let middle = (low + high) / 2
                if routed[middle].prefix < prefix { low = middle + 1 } else { high = middle }
            }
            guard low < routed.count, routed[low].prefix == prefix, routed[low].nextHop.peer == hop.peer else {
                continue
            }
            entries[i].alternates = ([routed[low].nextHop] + routed[low].alternates).filter { $0.link != hop.link }
        }
    }

    /// What goes through neighbours that do not answer, and all else, in an order that depends on what is there alone; of
    /// entries with the same prefix the last one holds.
    private static func entries(
        links: PeerBook, flows: FlowSupervisor, context: ControlContext
    ) -> (silent: [Entry], answering: [Entry]) {
        var silent: [(address: IPv6Address, nextHop: NextHop)] = []
        var answering = silent
        for route in context.configuration.routes where route.key != context.identity.publicKey {
            let connected = links.links(with: route.via).filter(\.isConnected)
            guard let link = connected.first(where: { !$0.isDown }) ?? connected.first else { continue }
            let hop = NextHop(kind: .link, link: link.id, peer: flows.id(of: route.key) ?? .max)
            if link.isDown {
                silent.append((route.key.address, hop))
            } else {
                answering.append((route.key.address, hop))
            }
        }
        // Of several links with one neighbour the one with the lowest id.
        for id in links.ids.reversed() {
            guard let link = links[id], link.isConnected else { continue }
            let hop = NextHop(kind: .link, link: id, peer: flows.id(of: link.key) ?? .max)
            let address = link.machine.address
            if link.isDown { silent.append((address, hop)) } else { answering.append((address, hop)) }
        }
        answering.append((context.identity.address, NextHop(kind: .local)))
        return (entries(silent, owners: context.owners), entries(answering, owners: context.owners))
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
