import HyphaBase
import HyphaWire
import TestVectors
import Testing

@Suite struct RoutingHeaderTests {
    @Test func headersRoundTrip() throws {
        var random = Seed(81)
        for _ in 0..<500 {
            let memory = UnsafeMutableRawPointer.allocate(byteCount: 80, alignment: 16)
            defer { memory.deallocate() }
            memory.initializeMemory(as: UInt8.self, repeating: 0xEE, count: 80)
            let header = memory + random.below(8)
            let kind = try #require(RoutingHeader.Kind(rawValue: UInt8(random.below(6))))
            let flags = UInt8(random.below(16))
            let hopLimit = UInt8(random.below(256))
            let hash = UInt16(random.below(65_536))
            let index = UInt32(truncatingIfNeeded: random.next())
            let counter = random.next()
            let source = IPv6Address(high: random.next(), low: random.next())
            let destination = IPv6Address(high: random.next(), low: random.next())
            RoutingHeader.write(
                header, kind: kind, flags: flags, hopLimit: hopLimit, flowHash: hash, index: index, counter: counter,
                source: source, destination: destination)
            #expect(RoutingHeader.kind(header) == kind)
            #expect(RoutingHeader.wantsFullSeal(header) == (flags & 1 == 1))
            #expect(RoutingHeader.hopLimit(header) == hopLimit)
            #expect(RoutingHeader.flowHash(header) == hash)
            #expect(RoutingHeader.index(header) == index)
            #expect(RoutingHeader.counter(header) == counter)
            #expect(RoutingHeader.source(header) == source)
            #expect(RoutingHeader.destination(header) == destination)
            #expect((header + 48).load(as: UInt8.self) == 0xEE)

            let before = Array(UnsafeRawBufferPointer(start: header, count: 48))
            RoutingHeader.setHopLimit(header, hopLimit &- 1)
            let after = Array(UnsafeRawBufferPointer(start: header, count: 48))
            #expect(after[1] == hopLimit &- 1)
            #expect(after[0] == before[0] && after[2...] == before[2...])
        }
    }

    /// What relays may change is not bound to the body, everything else is.
    @Test func associatedDataHidesFlagsAndHopLimitOnly() {
        var random = Seed(82)
        for _ in 0..<300 {
            let header = random.bytes(48)
            var expected = header
            expected[0] &= 0xF0
            expected[1] = 0
            var ad = [UInt8](repeating: 0xEE, count: 48)
            header.withUnsafeBytes { raw in
                ad.withUnsafeMutableBytes { out in
                    guard let from = raw.baseAddress, let to = out.baseAddress else { return }
                    RoutingHeader.writeAssociatedData(from, to: to)
                }
            }
            #expect(ad == expected)
        }
    }

    @Test func onlySixKindsExist() {
        for first in UInt8(0)...255 {
            var byte = first
            let kind = withUnsafeBytes(of: &byte) { raw in raw.baseAddress.flatMap { RoutingHeader.kind($0) } }
            #expect(kind?.rawValue == (first >> 4 <= 5 ? first >> 4 : nil))
        }
    }

    /// Every field of the end-to-end vectors is found where the vectors put it.
    @Test func vectorsAreRead() throws {
        let vectors = try WireVector.all(kind: "he1").filter { $0.verdict == "accept" && !$0.fields.isEmpty }
        #expect(vectors.count > 50)
        for vector in vectors {
            let flags = try #require(vector.number("flags"))
            let source = try #require(vector.bytes("source").flatMap { IPv6Address(bytes: $0) })
            let destination = try #require(vector.bytes("destination").flatMap { IPv6Address(bytes: $0) })
            try vector.output.withUnsafeBytes { raw in
                let base = try #require(raw.baseAddress)
                #expect(RoutingHeader.kind(base) == .data, "\(vector.name)")
                #expect(RoutingHeader.wantsFullSeal(base) == (flags & 1 != 0), "\(vector.name)")
                #expect(Int(RoutingHeader.hopLimit(base)) == vector.number("hop"), "\(vector.name)")
                #expect(Int(RoutingHeader.flowHash(base)) == vector.number("flow"), "\(vector.name)")
                #expect(Int(RoutingHeader.index(base)) == vector.number("receiver_index"), "\(vector.name)")
                #expect(Int(RoutingHeader.counter(base)) == vector.number("counter"), "\(vector.name)")
                #expect(RoutingHeader.source(base) == source, "\(vector.name)")
                #expect(RoutingHeader.destination(base) == destination, "\(vector.name)")
            }
        }
    }
}
