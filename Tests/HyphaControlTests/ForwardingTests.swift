import HyphaBase
import HyphaControl
import HyphaFIB
import HyphaIdentity
import HyphaSession
import Testing

@testable import HyphaControl

@Suite struct ForwardingTests {
    private let first = IPv6Address(high: 0x0400_0000_0000_0001, low: 10)
    private let second = IPv6Address(high: 0x0400_0000_0000_0001, low: 20)

    @Test func theFirstKnownOwnsTheSubnet() {
        var owners = SubnetOwners(own: IPv6Address(high: 9, low: 9))
        owners.learn(first)
        #expect(owners.isAlone(first) && owners.owner(of: second) == first && !owners.isAlone(second))
        owners.learn(second)
        owners.learn(second)
        #expect(!owners.isAlone(first) && owners.owner(of: second) == first)
        #expect(owners.takeChanged() == [first.high, first.high] && owners.takeChanged().isEmpty)
        // Known twice: forgotten with the second time.
        owners.forget(second)
        #expect(!owners.isAlone(first) && owners.takeChanged().isEmpty)
        owners.forget(second)
        #expect(owners.isAlone(first) && owners.takeChanged() == [first.high])
        owners.learn(second)
        owners.forget(first)
        #expect(owners.owner(of: first) == second)
        owners.forget(second)
        owners.forget(second)
        #expect(owners.owner(of: first) == nil && owners.isAlone(first))
        // Who shares our own /64 never has it.
        #expect(owners.owner(of: IPv6Address(high: 9, low: 1)) == IPv6Address(high: 9, low: 9))
    }

    @Test func twoKeysInOneSubnet() {
        var owners = SubnetOwners(own: IPv6Address(high: 9, low: 9))
        owners.learn(first)
        owners.learn(second)
        let hops = [NextHop(kind: .link, link: 1, peer: 1), NextHop(kind: .link, link: 2, peer: 2)]
        // Whatever the order in the table.
        for destinations in [[(second, hops[1]), (first, hops[0])], [(first, hops[0]), (second, hops[1])]] {
            var builder = FIBBuilder()
            for entry in FIBCompiler.entries(destinations, owners: owners) {
                builder.insert(entry.prefix, entry.nextHop)
            }
            let view = builder.build()
            #expect(view.view.lookup(first) == hops[0] && view.view.lookup(second) == hops[1])
            #expect(view.view.lookup(IPv6Address(high: first.high, low: 30)) == hops[0])
            #expect(view.prefixCount == 3)
        }
    }

    @Test func theSameTableIsNotPublishedTwice() {
        let memory = [TableMemory(capacity: 4, scope: .link), TableMemory(capacity: 4, scope: .flow)]
        var context = ControlContext(
            configuration: ControlConfiguration(), identity: SimulatedNetwork.identity(1), network: .open,
            random: SeededRandom(1), wallSeconds: 1, now: .zero)
        let links = LinkSupervisor(table: memory[0].table, context: &context, now: .zero)
        var flows = FlowSupervisor(table: memory[1].table, context.configuration)
        let routes = RouteControl(
            context.configuration, identity: SimulatedNetwork.identity(1), seed: 1, now: .zero)
        var compiler = FIBCompiler()
        func compile(_ milliseconds: UInt64) -> Bool {
            let now = Instant.zero.advanced(byMilliseconds: milliseconds)
            return compiler.compile(links: links.book, flows: flows, routes: routes, context: context, now: now) != nil
        }
        let untouched = compile(0)
        compiler.changed()
        let first = compile(0)
        compiler.changed()
        let early = compile(4)
        let same = compile(10)
        #expect(!untouched && first && !early && !same)
        // Another key in our own /64 does not change what is ours.
        context.owners.learn(IPv6Address(high: context.identity.address.high, low: 1))
        flows.subnetsChanged(context.owners.takeChanged(), &context)
        compiler.changed()
        let still = compile(20)
        #expect(!still)
        compiler.refused(now: Instant.zero.advanced(byMilliseconds: 20))
        let again = compile(25)
        #expect(again)
    }

    @Test func routesNeedTheirNeighbour() {
        let network = SimulatedNetwork(seed: 2)
        let far = SimulatedNetwork.identity(8).publicKey
        let hub = network.addNode(2)
        let via = SimulatedNetwork.identity(2).publicKey
        let leaf = network.addNode(1, dialling([2], routes: [ConfiguredRoute(key: far, via: via)]))
        #expect(leaf.worker.lookup(far.address).kind == .none)
        network.run(seconds: 1)
        let hop = leaf.worker.lookup(far.address)
        #expect(hop.kind == .link && hop.link == 0 && leaf.peerStatus.contains { $0.id == hop.peer && $0.key == far })
        #expect(leaf.worker.lookup(IPv6Address(high: far.address.high, low: 0)) == hop)
        // Both peers are known to the worker before anything refers to them.
        #expect(leaf.worker.peerStates.values.map(\.address).sorted() == [far.address, via.address].sorted())
        #expect(leaf.worker.peerStates.values.allSatisfy { $0.ownsSubnet })
        hub.isRunning = false
        network.run(seconds: 120)
        #expect(leaf.worker.lookup(far.address).kind == .none)
        #expect(leaf.worker.lookup(leaf.address).kind == .local)
    }

    @Test func aDirectLinkComesBeforeARoute() {
        let network = SimulatedNetwork(seed: 2)
        let far = SimulatedNetwork.identity(3).publicKey
        let via = SimulatedNetwork.identity(2).publicKey
        network.addNode(2)
        network.addNode(3)
        let leaf = network.addNode(1, dialling([2, 3], routes: [ConfiguredRoute(key: far, via: via)]))
        network.run(seconds: 1)
        #expect(leaf.worker.lookup(far.address).link == 1)
    }

    @Test func publishesRarelyAndOnlyChanges() {
        let (network, leaf, _) = makePair()
        network.run(seconds: 0.5)
        let published = leaf.loop.counters.published
        #expect((2...3).contains(published))
        // Renewals change nothing.
        network.run(seconds: 600)
        #expect(leaf.loop.counters.published == published)
        // What was refused comes again.
        network.act(on: leaf) { node, now in
            node.worker.snapshot = nil
            node.loop.publicationRefused(now: now)
        }
        #expect(leaf.worker.snapshot == nil)
        network.run(seconds: 0.006)
        #expect(leaf.worker.snapshot != nil)
    }
}
