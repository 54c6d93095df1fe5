import Foundation
import HyphaIdentity
import Testing

@testable import hypha

private let secret = [UInt8](0..<32)

@Test func theFirst32BytesAreTheKey() throws {
    let folder = try TemporaryFolder()
    let expected = try #require(NodeIdentity(secret: secret)).publicKey
    for extra in [[], [1, 2, 3], [UInt8](repeating: 9, count: 5000)] as [[UInt8]] {
        let path = try folder.write("key", secret + extra)
        #expect(try KeyFile(path: path).load().publicKey == expected)
    }
}

@Test(arguments: [0o600, 0o400, 0o640, 0o660, 0o440])
func modesWithoutRightsOfOthersAreFine(mode: Int) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("key", secret, mode: mode)
    #expect(throws: Never.self) { _ = try KeyFile(path: path).load() }
}

@Test(arguments: [(0o644, "0644"), (0o604, "0604"), (0o602, "0602"), (0o601, "0601"), (0o666, "0666")])
func modesWithRightsOfOthersAreRefused(mode: Int, digits: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("key", secret, mode: mode)
    let error = try #require(throws: KeyFileError.self) { _ = try KeyFile(path: path).load() }
    #expect(error.description == "key file \(path) is open to all users (mode \(digits)): run \"chmod 640 \(path)\"")
    #expect(!error.isMissing)
    // Neither the node nor a command may take it for a missing one.
    #expect(throws: KeyFileError.self) { _ = try KeyFile(path: path).loadOrCreate() }
    #expect(try folder.bytes("key") == secret)
}

@Test(arguments: [0, 1, 31])
func shortFilesAreRefused(count: Int) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("key", Array(secret.prefix(count)))
    let error = try #require(throws: KeyFileError.self) { _ = try KeyFile(path: path).loadOrCreate() }
    #expect(
        error.description.hasPrefix("key file \(path) holds \(count) bytes, a key has 32: restore it, or make a new"))
    #expect(try folder.bytes("key").count == count)
}

@Test func whatIsNoFileIsRefused() throws {
    let folder = try TemporaryFolder()
    #expect(throws: KeyFileError.self) { _ = try KeyFile(path: folder.path).loadOrCreate() }
    #expect(throws: KeyFileError.self) { _ = try KeyFile(path: folder.path).replace() }
    let pipe = folder.path + "/pipe"
    #expect(mkfifo(pipe, 0o600) == 0)
    let error = try #require(throws: KeyFileError.self) { _ = try KeyFile(path: pipe).load() }
    #expect(error.description == "key file \(pipe) is not a file")
}

@Test(.enabled(if: geteuid() != 0, "root may read everything"))
func unreadableFilesNameModeAndFix() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("key", secret, mode: 0o000)
    let error = try #require(throws: KeyFileError.self) { _ = try KeyFile(path: path).loadOrCreate() }
    #expect(error.description.contains("Permission denied, mode 0000, owner \(geteuid())"))
    #expect(error.description.contains("\"chmod 640 \(path)\""))
}

@Test func aMissingFileIsMadeWithItsFolders() throws {
    let folder = try TemporaryFolder()
    let file = KeyFile(path: folder.path + "/a/b/priv_key.bin")
    let missing = try #require(throws: KeyFileError.self) { _ = try file.load() }
    #expect(missing.isMissing && missing.description.contains("hypha generate-keys"))
    let (identity, isNew) = try file.loadOrCreate()
    #expect(isNew)
    #expect(try folder.mode("a") == 0o700 && folder.mode("a/b") == 0o700)
    #expect(try folder.mode("a/b/priv_key.bin") == 0o600)
    #expect(try folder.names(in: "a/b") == ["priv_key.bin"])
    #expect(try folder.bytes("a/b/priv_key.bin").count == 32)
    let again = try file.loadOrCreate()
    #expect(!again.isNew && again.identity.publicKey == identity.publicKey)
}

@Test func makingAKeyNeverTouchesAnExistingOne() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("key", secret)
    #expect(throws: KeyFileError.self) { _ = try KeyFile(path: path).create() }
    #expect(try folder.bytes("key") == secret)
    #expect(try folder.names() == ["key"])
}

@Test func aReplacedKeyStaysBesideTheNewOne() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("key", secret, mode: 0o640)
    let first = try KeyFile(path: path).replace()
    #expect(first.old == path + ".old")
    #expect(try folder.bytes("key.old") == secret && folder.mode("key.old") == 0o640)
    // The group that could read the key still can.
    #expect(try folder.bytes("key") != secret && folder.mode("key") == 0o640)
    #expect(try KeyFile(path: path).load().publicKey == first.identity.publicKey)
    let middle = try folder.bytes("key")
    #expect(try KeyFile(path: path).replace().old == path + ".old.1")
    #expect(try KeyFile(path: path).replace().old == path + ".old.2")
    #expect(try folder.bytes("key.old") == secret && folder.bytes("key.old.1") == middle)
    #expect(try folder.names() == ["key", "key.old", "key.old.1", "key.old.2"])
}

@Test func replacingRepairsADamagedOrOpenFile() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("key", [1, 2, 3], mode: 0o666)
    let (identity, old) = try KeyFile(path: path).replace()
    #expect(old == path + ".old")
    #expect(try folder.mode("key") == 0o640)
    #expect(try KeyFile(path: path).load().publicKey == identity.publicKey)
    #expect(try folder.bytes("key.old") == [1, 2, 3])
    let fresh = try KeyFile(path: folder.path + "/other").replace()
    #expect(fresh.old == nil)
}

@Test func keysThatCannotBeWrittenSaySo() throws {
    let folder = try TemporaryFolder()
    try folder.write("file", [1])
    let path = folder.path + "/file/key"
    let error = try #require(throws: KeyFileError.self) { _ = try KeyFile(path: path).create() }
    #expect(error.description == "key file \(path) cannot be written: Not a directory")
}
