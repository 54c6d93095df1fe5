import Foundation
import Glibc

/// What these tests need and where they find it.
enum SystemRequirements {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The program under test: HYPHA_BINARY, or what `make build` made.
    static let hypha =
        ProcessInfo.processInfo.environment["HYPHA_BINARY"] ?? root.appendingPathComponent(".build/release/hypha").path

    /// The model of a stock node, made with it.
    static let stockNode =
        ProcessInfo.processInfo.environment["STOCK_NODE_BINARY"]
        ?? root.appendingPathComponent(".build/release/stock-node").path

    private static let tools = ["ip", "ping", "iperf3", "tcpdump", "setpriv"]

    /// Why the tests cannot run here; empty when they can.
    static let missing: String = {
        if geteuid() != 0 { return "not run: network namespaces need root" }
        if !FileManager.default.isExecutableFile(atPath: hypha) {
            return "not run: no program at \(hypha), 'make build' makes it"
        }
        let absent = tools.filter { find($0) == nil }
        if !absent.isEmpty { return "not run: \(absent.joined(separator: ", ")) missing, 'make setup-test' installs" }
        if !FileManager.default.fileExists(atPath: "/dev/net/tun") { return "not run: no /dev/net/tun" }
        return ""
    }()

    /// Why those with stock nodes cannot.
    static let missingForStock: String = {
        if !missing.isEmpty { return missing }
        if !FileManager.default.isExecutableFile(atPath: stockNode) {
            return "not run: no program at \(stockNode), 'make build' makes it"
        }
        return find("traceroute") == nil ? "not run: traceroute missing, 'make setup-test' installs" : ""
    }()

    /// The release binary and the tool that lists its instructions.
    static let hasDisassembler =
        FileManager.default.isExecutableFile(atPath: hypha) && find("objdump") != nil && find("swift") != nil

    /// The full path of a tool.
    static func find(_ tool: String) -> String? {
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "") + ":/usr/sbin:/sbin:/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/\(tool)" }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }
}
