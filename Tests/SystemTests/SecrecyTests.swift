import Foundation
import Glibc
import Testing

extension SystemTests {
    @Suite(.serialized) struct SecrecyTests {
        let topology: Topology

        init() throws { topology = try SharedTopology.current }

        /// Sends a marker many times from A to B; it stands in captures of both TUNs and in none of both links of R.
        @Test func theRelaySeesNoPlaintext() throws {
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
            for capture in sealed {
                #expect(Capture.packets(capture).count >= 40)
                #expect(capture.range(of: needle) == nil, "the relay saw the marker")
                // Not the addresses of the ends either: the routing header is sealed too.
                for node in [Topology.Node.a, .b] {
                    var address = in6_addr()
                    #expect(inet_pton(AF_INET6, topology.address(node), &address) == 1)
                    let bytes = withUnsafeBytes(of: address) { Data($0) }
                    #expect(capture.range(of: bytes) == nil, "an overlay address is readable on the link")
                }
            }
        }
    }
}
