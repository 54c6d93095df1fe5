import Foundation
import Glibc

/// tcpdump on one interface, from when it listens until `finish`.
final class Capture: Sendable {
    private let program: RunningProgram
    private let file: URL

    init(_ interface: String, on node: Topology.Node, of topology: Topology) throws {
        file = topology.folder.appendingPathComponent("\(UUID().uuidString).pcap")
        program = try topology.background(
            ["tcpdump", "-i", interface, "--immediate-mode", "-U", "-Z", "root", "--buffer-size=16384", "-w", file.path], on: node)
        _ = try program.line(containing: "listening on", within: 5)
    }

    deinit { program.stop() }

    /// All bytes of the capture file. Ends the capture.
    func finish() throws -> Data {
        // What was captured last is on its way to the file.
        Clock.pause(0.3)
        program.signal(SIGINT)
        guard program.exitCode(within: 5) != nil else { throw SystemTestError("tcpdump does not end") }
        return try Data(contentsOf: file)
    }

    /// The packets of a capture file of this machine's byte order, link layer included.
    static func packets(_ data: Data) -> [[UInt8]] {
        let bytes = Array(data)
        var packets: [[UInt8]] = []
        var position = 24
        while position + 16 <= bytes.count {
            let length = (0..<4).reduce(0) { $0 | Int(bytes[position + 8 + $1]) << (8 * $1) }
            guard position + 16 + length <= bytes.count else { break }
            packets.append(Array(bytes[(position + 16)..<(position + 16 + length)]))
            position += 16 + length
        }
        return packets
    }
}
