import CKernel
import Glibc
import HyphaBase
import HyphaWire
import Synchronization
import Testing

@testable import HyphaRim

@Suite struct DiscoverySocketTests {
    /// A pair of connected interfaces in the calling thread's namespace: with addresses that are usable at once, or those
    /// that the kernel makes and checks.
    @Sendable static func makePair(_ a: String, _ b: String, checked: Bool = false) throws {
        guard ip("link", "add", a, "type", "veth", "peer", "name", b) else { throw NoNamespace(code: -1) }
        for name in [a, b] { try raise(name, checked ? nil : "fe80::\(name == a ? 1 : 2)/64") }
        if !checked { try awaitReady([a, b]) }
    }

    /// The kernel notices a carrier within a second, and drops what is sent before.
    @Sendable static func awaitReady(_ names: [String]) throws {
        for _ in 0..<500 {
            if try DiscoveryInterface.all().filter({ names.contains($0.name) && $0.isReady }).count == names.count {
                return
            }
            usleep(10_000)
        }
        throw NoNamespace(code: -13)
    }

    /// Brings an interface up, with one link-local address or with the kernel's own.
    @Sendable static func raise(_ name: String, _ address: String?) throws {
        if address != nil {
            guard ip("link", "set", name, "addrgenmode", "none") else { throw NoNamespace(code: -2) }
        }
        guard ip("link", "set", name, "up") else { throw NoNamespace(code: -3) }
        guard let address else { return }
        guard ip("addr", "add", address, "dev", name, "nodad") else { throw NoNamespace(code: -4) }
    }

    @Sendable static func open(_ interfaces: [String] = [], ownTun: UInt32 = 0) throws -> DiscoverySocket {
        var options = DiscoverySocket.Options()
        options.interfaces = interfaces
        options.ownTun = ownTun
        return try DiscoverySocket.open(options)
    }

    /// The next datagram within a second.
    @Sendable static func receive(
        _ socket: DiscoverySocket, milliseconds: UInt64 = 1_000
    ) throws -> (source: SocketAddress, bytes: [UInt8])? {
        let wait = ControlWait(wake: try Wake())
        let limit = SystemClock.now().advanced(byMilliseconds: milliseconds)
        var room = [UInt8](repeating: 0, count: 64)
        while true {
            let arrival = room.withUnsafeMutableBytes { socket.receive(into: $0) }
            if let arrival { return (arrival.source, Array(room[..<arrival.count])) }
            guard SystemClock.now() < limit else { return nil }
            _ = wait.sleep(until: limit, orReadable: [socket.waitDescriptor])
        }
    }

    /// What two threads in namespaces of their own tell each other.
    final class Meeting: Sendable {
        struct Facts: Sendable {
            var namespace: String?
            var isConnected = false
            var received: (source: SocketAddress, bytes: [UInt8])?
            var index: UInt32?
            var failure: String?
        }
        private let facts = Mutex(Facts())

        func tell(_ change: (inout sending Facts) -> Void) { facts.withLock { change(&$0) } }

        /// Waits at most 20 s until `choose` finds what it looks for.
        func await<Value: Sendable>(_ choose: (Facts) -> Value?) throws -> Value {
            for _ in 0..<2_000 {
                if let value = choose(facts.withLock({ $0 })) { return value }
                usleep(10_000)
            }
            throw NoNamespace(code: -10)
        }
    }

    /// The calling thread's network namespace, as a path that `ip` takes.
    @Sendable static func ownNamespace() -> String {
        var text = [CChar](repeating: 0, count: 128)
        let count = readlink("/proc/thread-self", &text, text.count - 1)
        let link = text.prefix(max(0, count)).map { UInt8(bitPattern: $0) }
        return "/proc/" + String(decoding: link, as: UTF8.self) + "/ns/net"
    }

    @Test(.enabled(if: canIsolate && ipProgram != nil)) func aBeaconPassesFromOneNamespaceToAnother() throws {
        let first = Array("from the first".utf8)
        let second = Array("from the second".utf8)
        let meeting = Meeting()
        // The other node answers what it hears.
        let other = try Threads.spawn(name: "other", state: meeting) { meeting in
            do {
                guard chy_unshare_network() == 0 else { throw NoNamespace(code: -5) }
                meeting.tell { $0.namespace = Self.ownNamespace() }
                _ = try meeting.await { $0.isConnected ? true : nil }
                try Self.raise("vb", "fe80::2/64")
                try Self.awaitReady(["vb"])
                let socket = try Self.open(["vb"])
                let joined = socket.send(second).interfaces
                meeting.tell { $0.index = joined.first?.index }
                let received = try Self.receive(socket, milliseconds: 10_000)
                meeting.tell { $0.received = received }
                _ = socket.send(second)
            } catch let error {
                meeting.tell { $0.failure = "\(error)" }
            }
        }
        let result = try isolated {
            let namespace = try meeting.await { $0.namespace }
            guard ip("link", "add", "va", "type", "veth", "peer", "name", "vb", "netns", namespace) else {
                throw NoNamespace(code: -6)
            }
            try Self.raise("va", "fe80::1/64")
            let socket = try Self.open()
            let early = socket.send(first)
            meeting.tell { $0.isConnected = true }
            _ = try meeting.await { $0.index }
            try Self.awaitReady(["va"])
            let round = socket.send(first)
            var answer: (source: SocketAddress, bytes: [UInt8])?
            while let arrival = try Self.receive(socket, milliseconds: 5_000) {
                answer = arrival
                if arrival.bytes == second { break }
            }
            return (early, round, answer)
        }
        other.join()
        let (early, round, answer) = result
        let (heard, failure) = try meeting.await { ($0.received, $0.failure) }
        #expect(failure == nil)
        #expect(early.interfaces.map(\.name) == ["va"])
        #expect(early.sent == 0 && early.checking == 0 && early.interfaces.allSatisfy { !$0.hasCarrier })
        #expect(round.sent == 1 && round.failed == 0 && round.problems.isEmpty)
        let a = try #require(IPv6Address("fe80::1"))
        let b = try #require(IPv6Address("fe80::2"))
        #expect(heard?.bytes == first)
        #expect(heard?.source == SocketAddress(address: a, port: 9_650, scope: try meeting.await { $0.index }))
        #expect(answer?.bytes == second)
        #expect(answer?.source == SocketAddress(address: b, port: 9_650, scope: round.interfaces[0].index))
    }

    @Test(.enabled(if: canIsolate && ipProgram != nil)) func anAddressUnderCheckIsWaitedFor() throws {
        let (rounds, isListening, received) = try isolated {
            try Self.makePair("va", "vb", checked: true)
            // An address that the kernel could send from meanwhile.
            guard ip("addr", "add", "fd00::1/64", "dev", "va", "nodad") else { throw NoNamespace(code: -14) }
            let a = try Self.open(["va"])
            let b = try Self.open(["vb"])
            var rounds: [DiscoverySocket.Round] = []
            var isListening = false
            let limit = SystemClock.now().advanced(byMilliseconds: 10_000)
            repeat {
                isListening = b.send([2]).sent == 1
                rounds.append(a.send([1]))
                usleep(20_000)
            } while (rounds.last?.sent != 1 || !isListening) && SystemClock.now() < limit
            var received: [SocketAddress] = []
            while let arrival = try Self.receive(b, milliseconds: received.isEmpty ? 1_000 : 0) {
                if arrival.bytes == [1] { received.append(arrival.source) }
            }
            return (rounds, isListening, received)
        }
        // The kernel takes a second or two to make sure of an address, and says so.
        let first = try #require(rounds.first)
        let last = try #require(rounds.last)
        #expect(first.sent == 0 && first.interfaces.allSatisfy { !$0.isReady })
        #expect(rounds.contains { $0.checking == 1 })
        #expect(last.sent == 1 && last.checking == 0 && last.interfaces.map(\.isReady) == [true])
        #expect(rounds.allSatisfy { $0.failed == 0 && $0.problems.allSatisfy { $0.kind == .badName } })
        #expect(isListening && !received.isEmpty)
        #expect(received.allSatisfy { $0.address == last.interfaces.first?.address })
        #expect(last.interfaces.first?.address.high == 0xFE80_0000_0000_0000)
    }

    @Test(.enabled(if: canIsolate && ipProgram != nil)) func onlySuitableInterfacesCount() throws {
        let (none, all, named, withoutOwn, down, gone) = try isolated {
            let socket = try Self.open()
            let none = socket.send([0])
            try Self.makePair("va", "vb")
            try Self.makePair("vc", "vd")
            var options = TunTests.options()
            options.name = "hy0"
            let tun = try TunDevice.open(options)
            defer { withExtendedLifetime(tun) {} }
            // A TUN with a link-local address is point-to-point all the same; loopback has none.
            guard ip("addr", "add", "fe80::9/64", "dev", "hy0", "nodad"),
                ip("addr", "del", "fe80::2/64", "dev", "vd")
            else { throw NoNamespace(code: -7) }
            // fe80::/10 outside of fe80::/64 is nobody's link-local address.
            guard ip("addr", "add", "fe81::1/64", "dev", "vd", "nodad") else { throw NoNamespace(code: -8) }
            let all = socket.send([0])
            let choosy = try Self.open(["vb", "hy0", "nope0", "vd"])
            let named = choosy.send([0])
            let other = try Self.open(ownTun: all.interfaces[0].index)
            let withoutOwn = other.send([0])
            guard ip("link", "set", "va", "down") else { throw NoNamespace(code: -9) }
            let down = socket.send([0])
            guard ip("link", "del", "va"), ip("link", "del", "vc") else { throw NoNamespace(code: -10) }
            return (none, all, named, withoutOwn, down, socket.send([0]))
        }
        #expect(none.interfaces.isEmpty && none.sent == 0 && none.problems.isEmpty)
        #expect(Set(all.interfaces.map(\.name)) == ["va", "vb", "vc"])
        #expect(all.interfaces.map(\.index) == all.interfaces.map(\.index).sorted())
        #expect(all.sent == 3 && all.failed == 0 && all.problems.isEmpty)
        #expect(named.interfaces.map(\.name) == ["vb"])
        #expect(named.sent == 1)
        #expect(named.problems.map(\.kind) == [.badName, .badName, .badName])
        for (problem, name) in zip(named.problems, ["hy0", "nope0", "vd"]) {
            #expect(problem.description.contains(name))
        }
        #expect(named.problems.filter { $0.description.contains("there is no interface") }.count == 1)
        #expect(withoutOwn.interfaces.map(\.name) == all.interfaces.dropFirst().map(\.name))
        // The other end of a pair that is down has no carrier, but it is up.
        #expect(Set(down.interfaces.map(\.name)) == ["vb", "vc"])
        #expect(gone.interfaces.isEmpty && gone.sent == 0 && gone.problems.isEmpty)
    }

    @Test(.enabled(if: canIsolate && ipProgram != nil)) func interfacesThatComeBackAreJoinedAgain() throws {
        let heard = try isolated {
            var heard: [Bool] = []
            let a = try Self.open(["va"])
            let b = try Self.open(["vb"])
            for turn in 0..<3 as Range<UInt8> {
                try Self.makePair("va", "vb")
                _ = b.send([99])
                _ = try Self.receive(a, milliseconds: 20)
                _ = a.send([turn])
                heard.append(try Self.receive(b)?.bytes == [turn])
                guard ip("link", "del", "va") else { throw NoNamespace(code: -11) }
                // With a look in between, and without one.
                if turn == 0 { _ = a.send([98]) }
            }
            return heard
        }
        #expect(heard == [true, true, true])
    }

    /// The kernel gives a datagram to every socket that joined the group anywhere: its scope says where it came in.
    @Test(.enabled(if: canIsolate && ipProgram != nil)) func theScopeTellsWhereADatagramCameIn() throws {
        let (chosen, all, heard, sender, own) = try isolated {
            try Self.makePair("va", "vb")
            try Self.makePair("vc", "vd")
            let chosen = try Self.open(["vd"])
            let all = try Self.open(["vb", "vd"])
            let sender = try Self.open(["va", "vc"])
            let rounds = (chosen.send([1]), all.send([2]))
            let from = sender.send([3])
            var heard: [UInt32] = []
            while let arrival = try Self.receive(chosen, milliseconds: 200) {
                if arrival.bytes == [3] { heard.append(arrival.source.scope) }
            }
            var own: [UInt32] = []
            while let arrival = try Self.receive(sender, milliseconds: 0) { own.append(arrival.source.scope) }
            return (rounds.0, rounds.1, heard, from, own)
        }
        // Nothing is looped back where it was sent: the sender, too, hears itself only through the other ends.
        #expect(Set(own) == Set(all.interfaces.map(\.index)))
        #expect(sender.sent == 2)
        #expect(chosen.interfaces.map(\.name) == ["vd"])
        #expect(Set(heard) == Set(all.interfaces.map(\.index)))
    }

    @Test(.enabled(if: canIsolate)) func aTakenPortNamesTheWayOut() throws {
        let (error, shared) = try isolated { () -> (RimError?, Bool) in
            let descriptors: Set<Int32>
            do {
                let first = try Self.open()
                let second = try Self.open()
                descriptors = [first.waitDescriptor.number, second.waitDescriptor.number]
            }
            guard let address = SocketAddress("[::]:9650") else { throw NoNamespace(code: -12) }
            let other = try UDPSocket.bind(address)
            defer { withExtendedLifetime(other) {} }
            do {
                _ = try Self.open()
                return (nil, descriptors.count == 2)
            } catch let error as RimError {
                return (error, descriptors.count == 2)
            }
        }
        #expect(shared)
        #expect(error?.kind == .addressInUse)
        #expect(error?.description.contains("9650") == true)
        #expect(error?.description.contains("discovery.port") == true)
    }

    @Test func longDatagramsAreCutAndEmptyOnesSeen() throws {
        var options = DiscoverySocket.Options()
        options.port = 0
        let socket = try DiscoverySocket.open(options)
        var own = chy_address()
        #expect(chy_socket_address(socket.waitDescriptor.number, &own) == 0)
        let sender = try UDPSocket.bind(Rig.loopback)
        for size in [100, 0] {
            var target = sockaddr_in6()
            target.sin6_family = sa_family_t(AF_INET6)
            target.sin6_port = own.port.bigEndian
            target.sin6_addr = in6addr_loopback
            let bytes = [UInt8](repeating: 7, count: size)
            let sent = withUnsafePointer(to: target) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(sender.descriptor, bytes, size, 0, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
            #expect(sent == size)
        }
        let first = try Self.receive(socket)
        #expect(first?.bytes == [UInt8](repeating: 7, count: 64))
        #expect(first?.source == sender.localAddress)
        #expect(try Self.receive(socket)?.bytes == [])
        #expect(try Self.receive(socket, milliseconds: 0) == nil)
    }
}
