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
