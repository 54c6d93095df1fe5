import HyphaBase
import HyphaControl
import HyphaWire
import Testing

@testable import HyphaControl

@Suite struct PuntHandlerTests {
    private func message(_ entries: [ControlTLV]) -> [UInt8] {
        var out: [UInt8] = []
        for entry in entries { entry.append(to: &out) }
        return out
    }

    @Test func answersProbesAndChallenges() throws {
        let bytes = message([
            ControlTLV(type: 0x80, value: [0, 0, 0]), ControlTLV(type: 0xA3, value: [1, 2, 3, 4]),
            ControlTLV(type: 0xA1, value: [8, 7, 6, 5, 4, 3, 2, 1]), ControlTLV(type: 0x84, value: []),
        ])
        let control = try #require(bytes.withUnsafeBytes { PuntHandler.linkControl($0) })
        let size = bytes.count + 32
        #expect(
            control.answers == [
                ControlTLV(type: 0xA4, value: [1, 2, 3, 4, UInt8(size), 0]),
                ControlTLV(type: 0xA2, value: [8, 7, 6, 5, 4, 3, 2, 1]),
            ])
        #expect(control.probes == 1 && control.challenges == 1 && control.ignored == 0)
        #expect(control.routing == [ControlTLV(type: 0x84, value: [])])
        let broken = bytes + [0xA3, 4, 0, 1]
        #expect(broken.withUnsafeBytes { PuntHandler.linkControl($0) } == nil)
    }

    @Test func endToEndOnlyPaddingIsKnown() {
        func isGood(_ message: [UInt8], header: Int = RoutingHeader.size) -> Bool {
            ([UInt8](repeating: 0, count: header) + message).withUnsafeBytes { PuntHandler.flowControl($0) }
        }
        let pad = message([ControlTLV(type: 0x80, value: [1, 2])])
        #expect(isGood(pad) && isGood([]) && !isGood([], header: RoutingHeader.size - 1))
        // A neighbour's entry means nothing here; one that must be understood is refused.
        #expect(isGood([0xA3, 0, 0]) && !isGood([0xA3, 0, 0x80]))
        #expect(!isGood([0x80, 9, 0]))
    }

    @Test func answersGoOutOnTheLink() throws {
        let (network, leaf, hub) = makePair()
        network.run(seconds: 1)
        let probe = message([ControlTLV(type: 0xA3, value: [1, 2, 3, 4])])
        network.act(on: hub) { node, now in
            probe.withUnsafeBytes { node.loop.handleLinkControl($0, link: 0, now: now) }
        }
        #expect(hub.loop.counters.probesAnswered == 1)
        let sent = try #require(network.sent.last)
        #expect(sent.to == leaf.endpoint)
        #expect(Array(sent.bytes.suffix(9)) == message([ControlTLV(type: 0xA4, value: [1, 2, 3, 4, 39, 0])]))
        // No link, no answer; a hundred at once, then fifty a second.
        network.act(on: hub) { node, now in
            for _ in 0..<200 { probe.withUnsafeBytes { node.loop.handleLinkControl($0, link: 0, now: now) } }
            probe.withUnsafeBytes { node.loop.handleLinkControl($0, link: 5, now: now) }
        }
        #expect(hub.loop.counters.linkControlLimited == 101)
        #expect(hub.loop.counters.probesAnswered == 100)
    }

    @Test func manyAnswersFitOnePacket() {
        let (network, _, hub) = makePair()
        network.run(seconds: 1)
        let probes = message((0..<280).map { _ in ControlTLV(type: 0xA3, value: [1, 2, 3, 4]) })
        network.act(on: hub) { node, now in
            probes.withUnsafeBytes { node.loop.handleLinkControl($0, link: 0, now: now) }
        }
        let answer = Array(network.sent.last?.bytes.dropFirst(48) ?? [])
        #expect(answer.count == 1_395)
        #expect(answer.withUnsafeBytes { ControlTLV.parse($0, space: .link) }?.count == 155)
    }

    @Test func namesAreUnique() {
        let names = ControlCounters().all.map(\.name)
        #expect(Set(names).count == names.count)
        #expect(names.allSatisfy { $0.allSatisfy { $0.isLowercase || $0 == "_" || $0.isNumber } })
    }
}
