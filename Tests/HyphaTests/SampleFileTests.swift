import HyphaBase
import Testing

@testable import hypha

private func load(_ text: String) throws -> Configuration {
    try ConfigurationLoader.load(
        Array(text.utf8), file: "F", overrides: [], keyFile: DefaultPaths.systemKeyFile)
}

@Test func theSampleAsItIsChangesNothing() throws {
    #expect(try load(SampleFile.text("hypha.toml")) == Configuration())
}

@Test func theSampleWithoutCommentMarksIsTheDefaultsAndTheExamples() throws {
    let configuration = try load(SampleFile.uncommented())
    var expected = Configuration()
    expected.peers = configuration.peers
    expected.routes = configuration.routes
    #expect(configuration == expected)
    #expect(configuration.peers.count == 1)
    #expect(configuration.routes.count == 1)
    #expect(configuration.routes.first?.via == configuration.peers.first?.uri.key)
}

@Test func theSampleListsEveryKeyWithItsMeaningAndRealDefault() throws {
    let lines = try SampleFile.text("hypha.toml").split(separator: "\n", omittingEmptySubsequences: false)
    var section = ConfigurationSection.top
    var seen: [String] = []
    for (index, line) in lines.enumerated() {
        let setting = line.hasPrefix("#") ? line.dropFirst() : line
        if setting.hasPrefix("[") {
            section = try #require(ConfigurationSection.allCases.first { $0.header == setting }, "\(line)")
            continue
        }
        guard line.hasPrefix("#"), !line.hasPrefix("# "), let name = setting.split(separator: " ").first else {
            continue
        }
        let key = try #require(ConfigurationKeys.keys(of: section).first { $0.name == name }, "\(line)")
        seen.append(key.path)
        #expect(setting == "\(key.name) = \(key.defaultText ?? key.example)")
        #expect(lines[index - 1] == "# \(key.summary)")
    }
    #expect(seen == ConfigurationKeys.all.map(\.path))
}

@Test func theNodeAmongMyceliumNodesDialsOverTCP() throws {
    let configuration = try load(SampleFile.text("mycelium.toml"))
    #expect(configuration.peers.allSatisfy { $0.uri.key == nil } && configuration.peers.count == 2)
    var expected = Configuration()
    expected.peers = configuration.peers
    expected.listen.swapAt(0, 1)
    #expect(configuration == expected)
}

@Test func thePublicPeerListensAndHasNoInterface() throws {
    let configuration = try load(SampleFile.text("public-peer.toml"))
    #expect(!configuration.tun.enabled)
    #expect(configuration.node.keyFile == DefaultPaths.systemKeyFile)
    #expect(configuration.listen.map(\.description) == ["hl1://[::]:9651", "tcp://[::]:9651"])
    let settings = try SampleFile.text("public-peer.toml").split(separator: "\n").filter { !$0.hasPrefix("#") }
    for listen in configuration.listen { #expect(settings.contains("uri = \"\(listen)\"")) }
}
