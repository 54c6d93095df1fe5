import Foundation
import Glibc
import Testing

extension SystemTests {
    /// Ordinary traffic from A to B and back, through R.
    @Suite(.serialized) struct TrafficTests {
        let topology: Topology

        init() throws { topology = try SharedTopology.current }

        @Test func pingIsAnswered() throws {
            let ping = try topology.run(["ping", "-6", "-c", "10", "-i", "0.05", topology.address(.b)], on: .a)
            #expect(ping.status == 0, "\(ping.output)")
            #expect(ping.output.contains(" 0% packet loss"), "\(ping.output)")
            // 64 at B; B, R and A take one each.
            #expect(ping.output.contains("ttl=61"), "\(ping.output)")
        }

        /// Every size class: padded and unpadded bodies, and the largest that fits all links.
        @Test(arguments: [0, 1, 15, 16, 100, 209, 210, 211, 1_000, 1_342])
        func pingOfAnySizeIsAnswered(size: Int) throws {
            let words = ["ping", "-6", "-c", "2", "-i", "0.05", "-W", "2", "-s", "\(size)", topology.address(.b)]
            let ping = try topology.run(words, on: .a)
            #expect(ping.output.contains("2 received"), "\(ping.output)\(ping.errors)")
        }

        /// The link between R and A takes 20 bytes less than the one between B and R. Whoever sends more learns it: A
        /// from its own node, B from what R says about packets that did not fit. Then the kernel sends fragments.
        @Test(arguments: [1_343, 1_352, 1_353, 8_000], [Topology.Node.a, .b])
        func sizesThatDoNotFitAreLearnt(size: Int, from: Topology.Node) throws {
            let other = topology.address(from == .a ? .b : .a)
            let words = ["ping", "-6", "-c", "10", "-i", "0.1", "-W", "2", "-s", "\(size)", other]
            let ping = try topology.run(words, on: from)
            // At most the first two are lost: one each way.
            let received = ["8", "9", "10"].contains { ping.output.contains(" \($0) received") }
            #expect(received, "\(ping.output)\(ping.errors)")
        }

        /// What iperf3 reports at its end.
        private func iperf(_ words: [String]) throws -> [String: Any] {
            let server = try topology.background(["iperf3", "--server", "--one-off", "--forceflush"], on: .b)
            defer { server.stop() }
            _ = try server.line(containing: "Server listening", within: 5)
            let client = try topology.run(
                ["iperf3", "--client", topology.address(.b), "--time", "1", "--json"] + words, on: .a)
            let report = try JSONSerialization.jsonObject(with: Data(client.output.utf8)) as? [String: Any]
            let end = report?["end"] as? [String: Any]
            return try #require(end, "\(client.output)\(client.errors)")
        }

        @Test(arguments: [["--reverse"], []])
        func tcpMovesData(direction: [String]) throws {
            let end = try iperf(direction)
            let received = try #require((end["sum_received"] as? [String: Any])?["bytes"] as? Int)
            #expect(received > 5_000_000, "\(received) bytes in a second")
        }

        @Test func udpMovesData() throws {
            let end = try iperf(["--udp", "--bitrate", "20M", "--length", "1200"])
            let sum = try #require(end["sum"] as? [String: Any])
            let packets = try #require(sum["packets"] as? Int)
            let lost = try #require(sum["lost_packets"] as? Int)
            #expect(packets > 1_000)
            #expect(lost * 20 < packets, "\(lost) of \(packets) lost")
        }

        /// 60 MB that no two runs share, byte for byte.
        @Test func aFileArrivesWhole() throws {
            let source = try #require(FileHandle(forReadingAtPath: "/dev/urandom"))
            let sent = source.readData(ofLength: 60_000_000)
            #expect(sent.count == 60_000_000)
            let listener = try NamespaceSocket(AF_INET6, SOCK_STREAM, in: topology.space(.b))
            try listener.bind(topology.address(.b), port: 9_000)
            try listener.listen()
            let client = try NamespaceSocket(AF_INET6, SOCK_STREAM, in: topology.space(.a))
            try client.connect(topology.address(.b), port: 9_000)
            let server = try listener.accept()
            let sender = Thread {
                try? client.send(Array(sent))
                client.finish()
            }
            sender.start()
            var received = Data(capacity: sent.count)
            while let part = server.receive(1 << 20), !part.isEmpty { received.append(contentsOf: part) }
            #expect(received.count == sent.count)
            #expect(received == sent)
        }
    }
}
