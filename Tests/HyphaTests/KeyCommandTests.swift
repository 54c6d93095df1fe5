import Foundation
import Testing

@testable import hypha

/// The files that the recordings of Tests/Vectors/cli-keys.json (mycelium 0.7.10) start from; k1 is made by the first.
private func recordedFolder() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let secret = [UInt8](0..<32)
    try folder.write("kfix", secret, mode: 0o640)
    try folder.write("klong", secret + [1, 2, 3], mode: 0o640)
    try folder.write("kshort", Array(secret.dropLast()), mode: 0o640)
    try folder.write("kempty", [], mode: 0o640)
    return folder
}

private func words(_ recording: Recording, in folder: TemporaryFolder) -> [String] {
    recording.args.map { $0.replacingOccurrences(of: "<DIR>", with: folder.path) }
}

/// Commands that end better here: a missing folder is made, KEY needs no key file, and --force repairs a damaged file.
private let better = [
    "generate-keys missing dir", "inspect short key file with KEY", "generate-keys force short key file",
]

@Test func inspectPrintsWhatMyceliumPrints() throws {
    let all = try Recording.all().filter { $0.key.hasPrefix("inspect") || $0.key == "flag after subcommand" }
    #expect(all.count == 17)
    for (name, recording) in all where !better.contains(name) {
        let folder = try recordedFolder()
        let run = ProgramRun(words(recording, in: folder))
        #expect(run.code == recording.exit, "\(name)")
        // Mycelium writes its log to standard output too; ours is for the result only.
        let expected = recording.exit == 0 ? recording.stdout : ""
        #expect(run.output == expected, "\(name)")
        #expect(run.errors.isEmpty == (recording.exit == 0), "\(name): \(run.errors)")
        #expect(run.errors.split(separator: "\n").count <= 1, "\(name)")
    }
}

@Test func generateKeysBehavesAsMyceliumDoes() throws {
    let all = try Recording.all()
    let folder = try recordedFolder()
    func run(_ name: String) throws -> ProgramRun {
        let recording = try #require(all[name])
        let run = ProgramRun(words(recording, in: folder))
        #expect((run.code == recording.exit) == !better.contains(name), "\(name)")
        #expect(run.output.isEmpty)
        if run.code == 0 {
            // The words of the log line, without its time and place.
            let text = recording.stdout.replacingOccurrences(of: "<DIR>", with: folder.path)
            let message = try #require(text.components(separatedBy: "myceliumd_common: ").last)
                .trimmingCharacters(in: .newlines)
            #expect(run.errors.contains(message) || better.contains(name), "\(name): \(run.errors)")
        }
        return run
    }
    _ = try run("generate-keys new")
    let first = try folder.bytes("k1")
    #expect(first.count == 32)
    #expect(try run("generate-keys existing").errors.contains(" warn  Refusing to generate new keys"))
    #expect(try folder.bytes("k1") == first)
    _ = try run("generate-keys force")
    #expect(try folder.bytes("k1") != first && folder.bytes("k1.old") == first)
    _ = try run("generate-keys path is dir")
    _ = try run("generate-keys force path is dir")
    _ = try run("generate-keys short key file")
    #expect(try folder.bytes("kshort").count == 31)
    _ = try run("generate-keys force short key file")
    #expect(try folder.bytes("kshort").count == 32 && folder.bytes("kshort.old").count == 31)
    _ = try run("generate-keys missing dir")
    #expect(try folder.mode("nodir") == 0o700)
}

@Test func inspectKnowsEveryAddressOfTheVectors() throws {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let rows = try decoder.decode(AddressVectors.self, from: VectorFile.data("addresses.json")).keys
    #expect(rows.count == 20)
    let folder = try TemporaryFolder()
    for row in rows {
        let text = "Public key: \(row.publicKey)\nAddress: \(row.address)\n"
        #expect(ProgramRun(["inspect", row.publicKey]).output == text)
        let digits = Array(row.secretKey)
        let secret = stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(String(digits[$0...$0 + 1]), radix: 16)
        }
        let path = try folder.write("key", secret)
        #expect(ProgramRun(["inspect"], keyFile: path).output == text)
        let json = ProgramRun(["inspect", "--json", "-k", path]).output
        #expect(json == "{\n  \"publicKey\": \"\(row.publicKey)\",\n  \"address\": \"\(row.address)\"\n}\n")
    }
}

@Test func keyCommandsFindTheKeyFileThroughTheConfiguration() throws {
    let folder = try recordedFolder()
    let file = try folder.write("hypha.toml", Array("[node]\nkey_file = \"\(folder.path)/kfix\"\n".utf8))
    let run = ProgramRun(["inspect", "-c", file])
    #expect(run.code == 0 && run.output.hasPrefix("Public key: 8f40c5adb68f2562"))
    #expect(ProgramRun(["inspect", "-c", file, "-k", folder.path + "/none"]).code == 1)
    let wrong = try folder.write("wrong.toml", Array("[node]\nkeyfile = \"x\"\n".utf8))
    let refused = ProgramRun(["generate-keys", "-c", wrong])
    #expect(refused.code == 1)
    #expect(refused.errors == "\(wrong):2:1: unknown key \"keyfile\" in [node] (did you mean \"key_file\"?)\n")
    // KEY needs neither file.
    let key = "8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f"
    #expect(ProgramRun(["inspect", key, "-c", wrong]).code == 0)
}

@Test func silentCommandsSayNothingThatIsNoError() throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/key"
    #expect(ProgramRun(["generate-keys", "--silent", "-k", path]).errors.isEmpty)
    #expect(ProgramRun(["generate-keys", "--silent", "-d", "-k", path]).errors.isEmpty)
    #expect(ProgramRun(["inspect", "--silent", "-k", path + "2"]).errors.contains(" error there is no key file"))
}

@Test func damagedKeysNeverTrap() {
    var hostile = Hostile(seed: 31)
    for _ in 0..<500 {
        let text = hostile.damage(Array(SampleKeys.a.utf8), fragments: ["é", "g", "\0", "00"])
        _ = ProgramRun(["inspect", "--", String(decoding: text, as: UTF8.self)])
    }
}
