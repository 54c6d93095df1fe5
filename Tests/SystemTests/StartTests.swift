import Foundation
import Glibc
import Testing

extension SystemTests {
    /// What a node says of itself when it starts.
    @Suite(.serialized) struct StartTests {
        let topology: Topology

        init() throws { topology = try SharedTopology.current }

        /// Starts a relay beside R with these flags; `body` gets its ready line. It must end well.
        private func start(
            _ flags: [String], before: [String] = [], _ body: (RunningProgram, Substring) throws -> Void
        ) throws {
            let key = topology.folder.appendingPathComponent("other.key").path
            let node = try topology.background(
                before + [SystemRequirements.hypha, "run", "--no-tun", "--key-file", key] + flags, on: .r)
            defer { node.stop() }
            let line = try node.line(containing: "ready address=", within: 10)
            let words = line.split(separator: " ")
            #expect(words.count >= 3 && words[0] == "ready" && words[1].hasPrefix("address="))
            try body(node, words.dropFirst(2).joined(separator: " ")[...])
            node.signal(SIGTERM)
            #expect(node.exitCode(within: 5) == 0)
        }

        @Test func theReadyLineNamesTheAddressesOfBothTransports() throws {
            try start(["--listen", "hl1://[::]:9700", "-t", "0"]) { node, listening in
                #expect(listening.hasPrefix("listen=[::]:9700 tcp=[::]:"))
                let port = listening.split(separator: ":").last.flatMap { UInt16($0) } ?? 0
                #expect(port != 0)
                // It is the one in use.
                let open = try topology.run(
                    ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/\(port) && echo connected"], on: .r)
                #expect(open.output == "connected\n", "\(open.errors)")
            }
            try start(["--listen", "hl1://[::]:9700"]) { _, listening in #expect(listening == "listen=[::]:9700") }
            try start(["--listen", "tcp://[::]:9700", "--listen", "tcp://127.0.0.1:9701"]) { _, listening in
                #expect(listening == "listen= tcp=[::]:9700,127.0.0.1:9701")
            }
        }

        /// A TCP link to R, as the report shows it.
        @Test func aTCPLinkIsReported() throws {
            let peers = ["--peers", "tcp://127.0.0.1:9651", "tcp://192.0.2.77:1"]
            let flags = ["--listen", "hl1://[::]:9700", "--disable-peer-discovery"] + peers
            try start(flags) { node, _ in
                func streams() throws -> (all: [[String: Any]], report: [String: Any]) {
                    let seen = node.output.count
                    node.signal(SIGUSR1)
                    let line = try node.line(containing: "{", within: 5, skipping: (seen, .max))
                    let report = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
                    return (report["streams"] as? [[String: Any]] ?? [], report)
                }
                let isUp: Bool? = try Clock.wait(10) {
                    let link = try streams().all.first
                    return link?["state"] as? String == "up" && link?["key"] is String ? true : nil
                }
                #expect(isUp == true, "\(node.errors)")
                let (all, report) = try streams()
                #expect(all.map { $0["host"] as? String } == ["127.0.0.1:9651", "192.0.2.77:1"])
                let up = try #require(all.first)
                #expect(up["dialled"] as? Bool == true && up["endpoint"] as? String == "127.0.0.1:9651")
                #expect(up["key"] as? String == topology.key(.r))
                #expect(all[1]["state"] as? String != "up" && all[1]["endpoint"] is NSNull)
                let routing = try #require(report["routing"] as? [String: Int])
                #expect(routing["hellos"] ?? 0 > 0 && routing["table_neighbours"] == 1)
            }
        }

        @Test func tooFewOpenFilesAreNamed() throws {
            let listen = ["--listen", "hl1://[::]:9700", "-t", "9701"]
            let limited = ["prlimit", "--nofile=400:400"]
            try start(listen, before: limited) { node, _ in
                #expect(node.errors.contains("only 400 files may be open, 4096 TCP links need"))
                #expect(node.errors.contains("limits.max_tcp_links"))
            }
            // A low soft limit alone is raised.
            try start(listen, before: ["prlimit", "--nofile=400:8192"]) { node, _ in
                #expect(!node.errors.contains("files may be open"))
            }
        }
    }
}
