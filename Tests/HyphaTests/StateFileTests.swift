import Foundation
import HyphaBase
import HyphaRouting
import Testing

@testable import hypha

private let state = RouterState(zone: 7, random: 0xFFFF_0123_4567, seqno: 65_535)
private let text = "hypha-state 1\nrouter 7 281470700832103 65535\n"

/// As `Hostile` seeds: every run the same.
private func random(_ seed: inout Seed, below bound: Int) -> Int { Int(seed.next() % UInt64(bound)) }

@Test func stateIsFoundAgain() throws {
    let folder = try TemporaryFolder()
    let file = StateFile(path: folder.path + "/state")
    let states = [
        state, RouterState(zone: 0, random: 0, seqno: 0),
        RouterState(zone: .max, random: 1 << 48 - 1, seqno: .max),
    ]
    for state in states {
        try file.save(state)
        #expect(try file.load() == state)
    }
    // One file, whatever was written before; nobody else's business.
    #expect(try folder.names() == ["state"])
    #expect(try folder.mode("state") == 0o600)
}

@Test func stateHasThisText() throws {
    let folder = try TemporaryFolder()
    try StateFile(path: folder.path + "/state").save(state)
    #expect(try String(decoding: folder.bytes("state"), as: UTF8.self) == text)
    #expect(StateFile.text(state) == text && StateFile.parse(text) == state)
}

@Test func aMissingStateIsNoError() throws {
    let folder = try TemporaryFolder()
    #expect(try StateFile(path: folder.path + "/state").load() == nil)
    #expect(try folder.names().isEmpty)
}

@Test func aDamagedStateSaysWhatHappens() throws {
    let folder = try TemporaryFolder()
    let damaged = [
        "", "\n", "hypha-state 2\nrouter 7 1 1\n", "hypha-state 1\nrouter 7 1 1", "hypha-state 1\nrouter 7 1 1\n\n",
        "hypha-state 1\nrouter 65536 1 1\n", "hypha-state 1\nrouter 7 281474976710656 1\n",
        "hypha-state 1\nrouter 7 1 65536\n", "hypha-state 1\nrouter 7 -1 1\n", "hypha-state 1\nrouter +7 1 1\n",
        "hypha-state 1\nrouter 7 01 1\n",
        "hypha-state 1\nrouter 7  1 1\n",
        "hypha-state 1\nrouter 7 1\n", "hypha-state 1\nrouter 7 1 1 1\n", "hypha-state 1\r\nrouter 7 1 1\r\n",
        "hypha-state 1\nrouter 7 99999999999999999999999 1\n", "hypha-state 1\nrouter 7 1 1\u{0}\n",
    ]
    for content in damaged {
        let path = try folder.write("state", Array(content.utf8))
        let error = try #require(throws: NodeError.self, "\(content)") { _ = try StateFile(path: path).load() }
        #expect(
            error.description
                == "state file \(path) is damaged or of another version; it is replaced, the node starts as a new origin"
        )
        // The next state replaces it.
        try StateFile(path: path).save(state)
        #expect(try StateFile(path: path).load() == state)
    }
}

@Test func everyTruncationOfAStateIsRefused() {
    for length in 0..<text.utf8.count {
        #expect(StateFile.parse(String(decoding: Array(text.utf8).prefix(length), as: UTF8.self)) == nil)
    }
}

/// Whatever is read is what would be written, or nothing: no text has two meanings, and none stops the program.
@Test func anyBytesAreAStateOrNone() throws {
    let folder = try TemporaryFolder()
    var seed = Seed(11)
    var states = 0
    for i in 0..<3_000 {
        var bytes = Array(text.utf8)
        if i % 2 == 0 {
            bytes = (0..<random(&seed, below: 80)).map { _ in UInt8(random(&seed, below: 256)) }
        } else {
            for _ in 0...random(&seed, below: 3) {
                bytes[random(&seed, below: bytes.count)] = UInt8(random(&seed, below: 128))
            }
        }
        guard let read = StateFile.parse(String(decoding: bytes, as: UTF8.self)) else { continue }
        states += 1
        #expect(StateFile.parse(StateFile.text(read)) == read)
    }
    // Changed digits are another state.
    #expect(states > 0)
    for size in [1, 4_095, 4_096, 4_097, 100_000] {
        let bytes = (0..<size).map { _ in UInt8(random(&seed, below: 256)) }
        let path = try folder.write("state", bytes)
        #expect(throws: NodeError.self) { _ = try StateFile(path: path).load() }
    }
    // What stands behind a good state makes it a bad one, however much it is.
    for rest in [1, 5_000] {
        let path = try folder.write("state", Array(text.utf8) + [UInt8](repeating: 10, count: rest))
        #expect(throws: NodeError.self) { _ = try StateFile(path: path).load() }
    }
}

@Test func aStateThatCannotBeReadSaysSo() throws {
    let folder = try TemporaryFolder()
    let error = try #require(throws: NodeError.self) { _ = try StateFile(path: folder.path).load() }
    #expect(
        error.description
            == "state file \(folder.path) cannot be read: Is a directory; the node starts as a new origin")
    try folder.write("file", [1])
    #expect(throws: NodeError.self) { _ = try StateFile(path: folder.path + "/file/state").load() }
    // A pipe that nobody writes to does not hold the start up.
    let pipe = folder.path + "/pipe"
    #expect(mkfifo(pipe, 0o600) == 0)
    #expect(throws: NodeError.self) { _ = try StateFile(path: pipe).load() }
}

@Test func aStateThatCannotBeWrittenSaysSo() throws {
    let folder = try TemporaryFolder()
    try folder.write("file", [1])
    for (path, reason) in [
        (folder.path + "/none/state", "No such file or directory"), (folder.path + "/file/state", "Not a directory"),
        ("/proc/state", "No such file or directory"),
    ] {
        let error = try #require(throws: NodeError.self) { try StateFile(path: path).save(state) }
        #expect(
            error.description
                == "state file \(path) cannot be written: \(reason); after a restart other nodes need longer to find "
                + "this one")
    }
    // A folder in its place: nothing is left behind.
    let taken = folder.path + "/taken"
    try FileManager.default.createDirectory(atPath: taken + "/inside", withIntermediateDirectories: true)
    #expect(throws: NodeError.self) { try StateFile(path: taken).save(state) }
    #expect(try folder.names() == ["file", "taken"])
}

@Test(.enabled(if: geteuid() != 0, "root may write everywhere"))
func anUnwritableFolderKeepsTheOldState() throws {
    let folder = try TemporaryFolder()
    let file = StateFile(path: folder.path + "/state")
    try file.save(state)
    chmod(folder.path, 0o500)
    defer { chmod(folder.path, 0o700) }
    #expect(throws: NodeError.self) { try file.save(RouterState(zone: 0, random: 1, seqno: 1)) }
    #expect(try file.load() == state)
}

/// Who has the old file open reads it to its end: the new one takes its place, it is not written over.
@Test func aStateIsReplacedAsAWhole() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/state"
    let file = StateFile(path: path)
    try file.save(state)
    let old = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
    defer { try? old.close() }
    // What a run that ended in between left behind is in nobody's way, even with wide rights or as a link elsewhere.
    let victim = try folder.write("victim", [1, 2, 3])
    #expect(symlink(victim, "\(path).\(getpid()).new") == 0)
    let new = RouterState(zone: 1, random: 2, seqno: 3)
    try file.save(new)
    #expect(try old.readToEnd() == Data(text.utf8))
    #expect(try file.load() == new)
    #expect(try folder.bytes("victim") == [1, 2, 3])
    #expect(try folder.names() == ["state", "victim"] && folder.mode("state") == 0o600)
}
