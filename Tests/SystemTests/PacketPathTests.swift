import Foundation
import Testing

/// What the compiler made of the packet path in the release binary.
@Suite(.enabled(if: SystemRequirements.hasDisassembler, "needs the release binary and objdump"))
struct PacketPathTests {
    /// Calls that count references or allocate.
    static let forbidden = [
        "swift_retain", "swift_release", "swift_allocObject", "swift_bridgeObjectRetain", "swift_bridgeObjectRelease",
        "swift_beginAccess", "swift_isUniquelyReferenced_nonNull_native", "swift_allocError",
    ]
    /// Set-up, tear-down and what the compiler generates for copies of whole values: never on the packet path.
    static let setUp = [
        ".init(", "deinit", "deallocate", "assignWith", "initializeWith", "initializeBuffer", "value witness",
        "outlined",
        "getter", "setter", ".open(", ".start(", ".shutdown(", "MemoryIO", "metadata", "deinitialize", "Options",
        "ContiguousArrayBuffer", "replaceSubrange",
    ]

    /// Once for a command of control, or for a peer's first stock body.
    static let seldom = ["Worker.routeResolved", "StockEnds.(makeKey", "Node.workerConfiguration"]

    /// No stage counts a reference or allocates. A turn itself may, a fixed number of times and not per packet.
    @Test func stagesCountNoReferences() throws {
        let listing = try PacketPathTests.output(
            try #require(SystemRequirements.find("objdump")), ["-d", "--no-show-raw-insn", SystemRequirements.hypha])
        var name = ""
        var calls: [String: [String]] = [:]
        var functions: Set<String> = []
        for line in listing.split(separator: "\n") {
            if line.hasSuffix(">:"), let start = line.firstIndex(of: "<") {
                name = String(line[line.index(after: start)...].dropLast(2))
                if PacketPathTests.rooms.contains(where: name.contains) { functions.insert(name) }
            } else if line.contains("call"), functions.contains(name),
                let target = line.split(separator: "<").last,
                let call = PacketPathTests.forbidden.first(where: target.hasPrefix)
            {
                calls[name, default: []].append(call)
            }
        }
        // The listing was understood: the stages are in it.
        #expect(functions.count > 100)
        let found = calls.keys.sorted()
        let readable = try PacketPathTests.output(
            try #require(SystemRequirements.find("swift")), ["demangle", "--compact"] + found
        )
        .split(separator: "\n")
        #expect(readable.count == found.count)
        for (symbol, text) in zip(found, readable) where !PacketPathTests.setUp.contains(where: text.contains) {
            let isTurn = ["HyphaDataplane.Worker.turn", "HyphaDataplane.Worker.prepareToSleep"].contains(
                where: text.contains)
            let isSeldom = PacketPathTests.seldom.contains(where: text.contains)
            let allowed = isTurn ? 4 : isSeldom ? 2 : 0
            #expect((calls[symbol] ?? []).count <= allowed, "\(text): \(calls[symbol] ?? [])")
        }
    }

    static let rooms = [
        "14HyphaDataplane", "8HyphaRim10WorkerRing", "8HyphaRim8WorkerIO", "12HyphaSession12SessionTable",
    ]

    private static func output(_ program: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: data, as: UTF8.self)
    }
}
