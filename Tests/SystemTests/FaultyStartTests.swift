import Foundation
import Glibc
import Testing

extension SystemTests {
    /// Starts that cannot work: one clear line, the right exit code, no crash.
    @Suite(.serialized) struct FaultyStartTests {
        let topology: Topology

        init() throws { topology = try SharedTopology.current }

        /// A file in the topology's folder.
        private func file(_ name: String, _ content: Data, mode: Int) throws -> String {
            let path = topology.folder.appendingPathComponent(name).path
            let attributes: [FileAttributeKey: Any] = [.posixPermissions: mode]
            guard FileManager.default.createFile(atPath: path, contents: content, attributes: attributes) else {
                throw SystemTestError("cannot write \(path)")
            }
            return path
        }

        private func configuration(_ name: String, _ text: String) throws -> String {
            try file(name, Data(text.utf8), mode: 0o644)
        }

        /// A key file of another node than those of the topology.
        private func otherKey() -> String { topology.folder.appendingPathComponent("other.key").path }

        /// Runs the program, which must fail with `code` and name all `words` on stderr.
        private func expectFailure(
            _ arguments: [String], on node: Topology.Node = .r, code: Int32 = 1, naming words: [String],
            before: [String] = [], sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let result = try topology.run(before + [SystemRequirements.hypha] + arguments, on: node, within: 10)
            #expect(result.status == code, "\(result.errors)", sourceLocation: sourceLocation)
            for word in words {
                let isNamed = result.errors.range(of: word, options: .caseInsensitive) != nil
                #expect(isNamed, "no \"\(word)\" in: \(result.errors)", sourceLocation: sourceLocation)
            }
            #expect(!result.errors.contains("Fatal error"), sourceLocation: sourceLocation)
            #expect(!result.errors.contains("Crash"), sourceLocation: sourceLocation)
            #expect(!result.output.contains("ready"), sourceLocation: sourceLocation)
        }

        @Test func aDamagedKeyFile() throws {
            let key = try file("short.key", Data(repeating: 7, count: 10), mode: 0o600)
            try expectFailure(["run", "--no-tun", "--key-file", key], naming: [key, "32"])
        }

        @Test func aKeyFileThatOthersCanRead() throws {
            let key = try file("open.key", Data(repeating: 7, count: 32), mode: 0o644)
            try expectFailure(["run", "--no-tun", "--key-file", key], naming: [key, "chmod"])
        }

        @Test func aPortInUse() throws {
            try expectFailure(["run", "--no-tun", "--key-file", otherKey()], naming: ["9651", "in use"])
        }

        @Test func aTCPPortInUse() throws {
            try expectFailure(
                ["run", "--no-tun", "--key-file", otherKey(), "--listen", "hl1://[::]:9700", "-t", "9651"],
                naming: ["TCP [::]:9651", "in use", "listen on another port"])
        }

        @Test func aTunNameInUse() throws {
            try expectFailure(
                ["run", "--key-file", otherKey(), "--listen", "hl1://[::]:9700"], on: .a, naming: ["hypha0"])
        }

        @Test func anUnknownKeyIsNamedWithASuggestion() throws {
            let file = try configuration("typo.toml", "[tun]\nenabled = false\nnmae = \"hypha1\"\n")
            try expectFailure(["run", "--config", file], naming: [file, ":3", "nmae", "name"])
        }

        @Test func aValueOutOfRange() throws {
            let file = try configuration("range.toml", "[tun]\nmtu = 100\n")
            try expectFailure(["run", "--config", file], naming: [file, ":2", "mtu", "1280"])
        }

        @Test func noTOML() throws {
            let file = try configuration("syntax.toml", "[tun\nname = 1\n")
            try expectFailure(["run", "--config", file], naming: [file, ":1"])
        }

        @Test func aMissingFile() throws {
            let file = topology.folder.appendingPathComponent("absent.toml").path
            try expectFailure(["run", "--config", file], naming: [file])
        }

        @Test func aWrongCommandLine() throws {
            try expectFailure(["run", "--no-tnu"], code: 2, naming: ["--no-tnu", "--no-tun"])
            try expectFailure(["rnu"], code: 2, naming: ["rnu", "run"])
            try expectFailure(["run", "--peers"], code: 2, naming: ["--peers"])
            try expectFailure(["run", "--peers", "hl1://abc@192.0.2.1:1"], code: 2, naming: ["--peers", "key"])
        }

        @Test func noRightToMakeATun() throws {
            let without = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"]
            let listen = ["--listen", "hl1://[::]:9700"]
            try expectFailure(
                ["run", "--key-file", otherKey(), "--tun-name", "hypha9"] + listen, naming: ["CAP_NET_ADMIN"],
                before: without)
            // A relay needs no such right.
            let relay = try topology.background(
                without + [SystemRequirements.hypha, "run", "--key-file", otherKey(), "--no-tun"] + listen, on: .r)
            defer { relay.stop() }
            _ = try relay.line(containing: "ready address=", within: 10)
            relay.signal(SIGTERM)
            #expect(relay.exitCode(within: 5) == 0)
        }

        /// Peers that nobody answers for, nobody routes to and nobody knows the name of are no reason to end.
        @Test func peersThatNeverAnswer() throws {
            let key = topology.key(.a)
            for peer in ["192.0.2.77:9651", "127.0.0.1:9", "[fd00:b::1]:9651", "nobody.invalid:9651"] {
                let words = ["run", "--no-tun", "--key-file", otherKey(), "--listen", "hl1://[::]:9700"]
                let node = try topology.background(
                    [SystemRequirements.hypha] + words + ["--peers", "hl1://\(key)@\(peer)"], on: .r)
                defer { node.stop() }
                _ = try node.line(containing: "ready address=", within: 10)
                Clock.pause(0.7)
                #expect(node.isRunning, "\(peer): \(node.errors)")
                node.signal(SIGTERM)
                #expect(node.exitCode(within: 5) == 0, "\(peer): \(node.errors)")
            }
        }

        /// A peer that has another key than the one configured: no link, and nobody ends.
        @Test func aPeerWithAnotherKey() throws {
            let words = ["run", "--no-tun", "--key-file", otherKey(), "--listen", "hl1://[::]:9700"]
            let wrong = topology.key(.b)
            let node = try topology.background(
                [SystemRequirements.hypha] + words + ["--peers", "hl1://\(wrong)@[fd00:a::2]:9651"], on: .a)
            defer { node.stop() }
            _ = try node.line(containing: "ready address=", within: 10)
            Clock.pause(1)
            #expect(try topology.report(.r).links.count == 2)
            #expect(node.isRunning)
            node.signal(SIGTERM)
            #expect(node.exitCode(within: 5) == 0)
        }
    }
}
