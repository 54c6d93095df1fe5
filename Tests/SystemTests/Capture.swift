import Foundation
import Glibc

/// tcpdump on one interface, from when it listens until `finish`.
final class Capture: Sendable {
    private let program: RunningProgram
    private let file: URL

    init(_ interface: String, on node: Topology.Node, of topology: Topology) throws {
        file = topology.folder.appendingPathComponent("\(UUID().uuidString).pcap")
        program = try topology.background(
            [
                "tcpdump", "-i", interface, "--immediate-mode", "-U", "-Z", "root", "--buffer-size=16384", "-w",
                file.path,
            ], on: node)
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

    /// UDP payloads to or from HL1's port in a capture of Ethernet frames, IPv4 or IPv6 without options.
    static func datagrams(_ data: Data) -> [[UInt8]] {
        packets(data).compactMap { packet in
            guard packet.count > 14 else { return nil }
            let isIPv6 = packet[12] == 0x86 && packet[13] == 0xDD
            let udp = isIPv6 ? 54 : 34
            guard packet.count > udp + 8, packet[isIPv6 ? 20 : 23] == 17 else { return nil }
            let ports = [0, 2].map { Int(packet[udp + $0]) << 8 | Int(packet[udp + $0 + 1]) }
            return ports.contains(9_651) ? Array(packet[(udp + 8)...]) : nil
        }
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
