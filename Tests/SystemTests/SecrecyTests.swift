import Foundation
import Glibc
import Testing

extension SystemTests {
    @Suite(.serialized) struct SecrecyTests {
        let topology: Topology

        init() throws { topology = try SharedTopology.current }

        /// Sends a marker many times from A to B; it stands in captures of both TUNs and in none of both links of R.
        @Test func theRelaySeesNoPlaintext() throws {
            let types = try sendMarker()
            #expect(types.isSubset(of: [1, 2, 3, 4]))
        }

        /// The same when only headers are sealed hop by hop: bodies are sealed end to end, and R keeps the mode.
        @Test func headerSealedBodiesAreSealedEndToEnd() throws {
            try topology.restart([.r, .a, .b], adding: "[crypto]\nseal = \"header\"\n")
            let types = try sendMarker()
            #expect(types.contains(5))
            try topology.restart([.r, .a, .b], adding: "")
        }

        /// Sends the marker and checks all captures. Returns the datagram types that were on both links.
        private func sendMarker() throws -> Set<UInt8> {
            let onTunA = try Capture("hypha0", on: .a, of: topology)
            let onTunB = try Capture("hypha0", on: .b, of: topology)
            let onLinkA = try Capture("to-a", on: .r, of: topology)
            let onLinkB = try Capture("to-b", on: .r, of: topology)
            let marker = Array("MARKER-\(UUID().uuidString)".utf8)

            let receiver = try NamespaceSocket(AF_INET6, SOCK_DGRAM, in: topology.space(.b))
            try receiver.bind(topology.address(.b), port: 9_001)
            let sender = try NamespaceSocket(AF_INET6, SOCK_DGRAM, in: topology.space(.a))
            try sender.connect(topology.address(.b), port: 9_001)
            for size in [0, 100, 600, 1_200] {
                for _ in 0..<10 {
                    // At the front, in the middle and at the end.
                    let filler = [UInt8](repeating: 0, count: size / 2)
                    try sender.send(marker + filler + marker + filler + marker)
                    let received = try #require(receiver.receive())
                    #expect(received.starts(with: marker))
                }
            }

            let needle = Data(marker)
            let plain = try [onTunA.finish(), onTunB.finish()]
            let sealed = try [onLinkA.finish(), onLinkB.finish()]
            for capture in plain { #expect(capture.range(of: needle) != nil, "the control capture misses the marker") }
            var types: [Set<UInt8>] = []
            for capture in sealed {
                let datagrams = Capture.datagrams(capture)
                #expect(datagrams.count >= 40)
                types.append(Set(datagrams.compactMap(\.first)))
                #expect(capture.range(of: needle) == nil, "the relay saw the marker")
                // Not the addresses of the ends either: the routing header is sealed too.
                for node in [Topology.Node.a, .b] {
                    var address = in6_addr()
                    #expect(inet_pton(AF_INET6, topology.address(node), &address) == 1)
                    let bytes = withUnsafeBytes(of: address) { Data($0) }
                    #expect(capture.range(of: bytes) == nil, "an overlay address is readable on the link")
                }
            }
            return types[0].intersection(types[1])
        }
    }
}
