import Testing

@testable import hypha

private let peerA = "hl1://\(SampleKeys.a)@192.0.2.1:9651"
private let peerB = "hl1://\(SampleKeys.b)@192.0.2.2:9651"

/// Flag and value of each override.
private func overrides(_ words: [String]) throws -> [String] {
    try CommandLineParser.parse(words).overrides.map { "\($0.flag) \($0.key.path) \($0.value)" }
}

@Test func noCommandIsRun() throws {
    let request = try CommandLineParser.parse([])
    #expect(request.command == .run)
    #expect(request.overrides.isEmpty && request.operands.isEmpty && request.configurationFile == nil)
    #expect(ProgramRun([]).started != nil)
    #expect(ProgramRun(["run"]).started == ProgramRun([]).started)
}

@Test(arguments: [
    ["-k", "/k", "inspect", "--json"], ["inspect", "-k", "/k", "--json"], ["inspect", "--json", "--key-file=/k"],
    ["--json", "-k=/k", "inspect"], ["-k/k", "inspect", "--json"],
])
func flagsStandAnywhere(words: [String]) throws {
    let request = try CommandLineParser.parse(words)
    #expect(request.command == .inspect && request.json)
    #expect(try overrides(words) == ["--key-file node.key_file \"/k\""])
}

@Test func everySpellingOfAFlagWorks() throws {
    for name in ["-c", "--config", "--config-file"] {
        #expect(try CommandLineParser.parse([name, "/f"]).configurationFile == "/f")
    }
    #expect(try CommandLineParser.parse(["-V"]).command == .version)
    #expect(try CommandLineParser.parse(["--version"]).command == .version)
    #expect(try CommandLineParser.parse(["version"]).command == .version)
    #expect(try CommandLineParser.parse(["-dV"]).command == .version)
    #expect(try CommandLineParser.parse(["run", "--check"]).check)
    #expect(try CommandLineParser.parse(["generate-keys", "--force"]).force)
    #expect(try CommandLineParser.parse(["inspect", "--", "-k"]).operands == ["-k"])
}

@Test func peersTakeAllWordsUpToTheNextFlag() throws {
    let request = try CommandLineParser.parse(["--peers", peerA, peerB, "--no-tun"])
    #expect(request.overrides.map(\.flag) == ["--peers", "--peers", "--no-tun"])
    let run = ProgramRun(["run", "--peers", peerA, peerB])
    #expect(run.started?.peers.map(\.uri.description) == [peerA, peerB])
}

@Test(arguments: [
    (["--bogus"], "unknown flag \"--bogus\""),
    (["--tun-nam", "x"], "unknown flag \"--tun-nam\" (did you mean --tun-name?)"),
    (["--keyfile=x"], "unknown flag \"--keyfile\" (did you mean --key-file?)"),
    (["-x"], "unknown flag \"-x\""),
    (["-dx"], "unknown flag \"-x\""),
    (["insepct"], "unknown command \"insepct\" (did you mean inspect?)"),
    (["--key-file"], "--key-file needs a value: --key-file FILE"),
    (["-k", "--no-tun"], "-k needs a value: -k FILE"),
    (["--peers"], "--peers needs a value: --peers URI..."),
    (["--peers", "--no-tun"], "--peers needs a value: --peers URI..."),
    (
        ["--peers", peerA, "run"],
        "--peers: must begin with hl1:// or tcp://, not \"run\" (the command run must stand before --peers)"
    ),
    (["--peers", "quic://192.0.2.1:9651"], "--peers: this version has no quic links, only hl1:// and tcp://"),
    (["--listen", "tls://[::]:1"], "--listen: this version has no tls links, only hl1:// and tcp://"),
    (["-t", "65536"], "--tcp-listen-port: must be an integer from 0 to 65535, not 65536"),
    (["--tcp-listen-port", "tcp"], "--tcp-listen-port: must be an integer from 0 to 65535, not \"tcp\""),
    (["-t"], "-t needs a value: -t PORT"),
    (["--no-tun=1"], "--no-tun takes no value"),
    (["--workers", "2"], "--workers: must be an integer from 0 to 1, not 2 (this version has one worker)"),
    (["--workers", "two"], "--workers: must be an integer from 0 to 1, not \"two\" (this version has one worker)"),
    (["--tun-name="], "--tun-name: must be 1 to 15 characters of ASCII without blanks, / : and %, not \"\""),
    (["--peer-discovery-port", "0"], "--peer-discovery-port: must be an integer from 1 to 65535, not 0"),
    (["--peer-discovery-port", "lan"], "--peer-discovery-port: must be an integer from 1 to 65535, not \"lan\""),
    (["--disable-peer-discovery=true"], "--disable-peer-discovery takes no value"),
    (
        ["--peer-discovery-interface", "eth 0"],
        "--peer-discovery-interface: must be 1 to 15 characters of ASCII without blanks, / : and %, not \"eth 0\""
    ),
    (["--peer-discovery-interface", "eth0", "eth1"], "unknown command \"eth1\""),
    (["inspect", "--force"], "--force belongs to the command generate-keys, not to inspect"),
    (["--json"], "--json belongs to the command inspect, not to run"),
    (["generate-keys", "--check"], "--check belongs to the command run, not to generate-keys"),
    (["run", "away"], "run takes no words after it, not \"away\""),
    (["inspect", "a", "b"], "inspect takes only [KEY] after it, not \"b\""),
    (["help", "bogus"], "unknown command \"bogus\""),
    (["--bad\nname"], "unknown flag \"--bad\\u{a}name\""),
])
func wrongUseIsOneLineAndExitCode2(words: [String], message: String) {
    let run = ProgramRun(words)
    #expect(run.code == 2)
    #expect(run.output.isEmpty && run.started == nil)
    #expect(run.errors == "hypha: \(message); \"hypha --help\" lists commands and flags\n")
}

@Test func versionIsOneLine() {
    for words in [["version"], ["--version"], ["-V"], ["inspect", "-V"]] {
        let run = ProgramRun(words)
        #expect(run.code == 0 && run.errors.isEmpty)
        #expect(run.output == "hypha \(Version.number)\n")
    }
}

@Test func helpNamesEveryCommandAndFlag() {
    let run = ProgramRun(["--help"])
    #expect(run.code == 0 && run.errors.isEmpty)
    for command in CommandName.allCases { #expect(run.output.contains("\n  \(command.rawValue) ")) }
    for flag in CommandLineTable.flags {
        for name in flag.names { #expect(run.output.contains(name)) }
        #expect(run.output.contains(flag.summary))
    }
    #expect(run.output.contains("[default: hypha0]"))
    #expect(ProgramRun(["-h"]).output == run.output)
    #expect(ProgramRun(["help"]).output == run.output)
}

@Test func helpOfACommandListsItsFlags() {
    for command in CommandName.allCases {
        let run = ProgramRun([command.rawValue, "--help"])
        #expect(run.code == 0)
        #expect(ProgramRun(["help", command.rawValue]).output == run.output)
        for flag in CommandLineTable.flags {
            let belongs = flag.commands.isEmpty || flag.commands.contains(command)
            #expect(run.output.contains("\(flag.names[0])") == belongs, "\(command) \(flag.names)")
        }
    }
}

@Test func everyFlagThatSetsAKeyNamesARealOne() throws {
    for flag in CommandLineTable.flags {
        switch flag.effect {
        case .sets(let path), .setsConstant(let path, _): #expect(flag.key?.path == path, "\(flag.names)")
        default: #expect(flag.key == nil)
        }
    }
    let names = CommandLineTable.flags.flatMap(\.names)
    #expect(Set(names).count == names.count)
    #expect(Set(CommandLineTable.commands.map(\.name)) == Set(CommandName.allCases))
}

@Test func checkSaysThatAConfigurationIsFineOrWhatIsWrong() throws {
    let folder = try TemporaryFolder()
    let good = try folder.write("good.toml", Array("[tun]\nmtu = 1300\n".utf8), mode: 0o644)
    let bad = try folder.write("bad.toml", Array("[tun]\nmtu = 13\nmut = 1\n".utf8), mode: 0o644)
    let fine = ProgramRun(["--check", "--config", good])
    #expect(fine.code == 0 && fine.output == "configuration is fine\n" && fine.errors.isEmpty && fine.started == nil)
    let wrong = ProgramRun(["run", "-c", bad, "--check"])
    #expect(wrong.code == 1 && wrong.output.isEmpty && wrong.started == nil)
    #expect(
        wrong.errors
            == "\(bad):2:7: tun.mtu: must be an integer from 1280 to 9000, not 13\n"
            + "\(bad):3:1: unknown key \"mut\" in [tun] (did you mean \"mtu\"?)\n")
    #expect(ProgramRun(["-c", bad]).code == 1)
}

@Test func theDefaultFileIsReadIfItExists() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("hypha.toml", Array("[tun]\nmtu = 1300\n".utf8))
    #expect(ProgramRun([], configurationFile: file).started?.tun.mtu == 1300)
    #expect(ProgramRun([], configurationFile: folder.path + "/none").started?.tun.mtu == 1400)
    let missing = ProgramRun(["-c", folder.path + "/none"])
    #expect(missing.code == 1)
    #expect(missing.errors == "\(folder.path)/none: cannot be read: No such file or directory\n")
    #expect(ProgramRun(["-c", folder.path]).errors == "\(folder.path): cannot be read: Is a directory\n")
    let large = try folder.write("large", [UInt8](repeating: 10, count: ConfigurationLoader.fileLimit + 1))
    #expect(ProgramRun(["-c", large]).errors.contains("is larger than 4M"))
    #expect(ProgramRun(["-c", try folder.write("full", Array(repeating: 10, count: 1 << 20))]).code == 0)
}

@Test func defaultPathsDependOnTheUser() {
    func keyFile(isRoot: Bool, _ environment: [String: String]) -> String {
        DefaultPaths(isRoot: isRoot) { environment[$0] }.keyFile
    }
    #expect(keyFile(isRoot: true, ["HOME": "/root", "XDG_DATA_HOME": "/x"]) == "/var/lib/hypha/priv_key.bin")
    #expect(keyFile(isRoot: false, ["HOME": "/home/u", "XDG_DATA_HOME": "/x"]) == "/x/hypha/priv_key.bin")
    #expect(
        keyFile(isRoot: false, ["HOME": "/home/u", "XDG_DATA_HOME": "x"]) == "/home/u/.local/share/hypha/priv_key.bin")
    #expect(keyFile(isRoot: false, ["HOME": "/home/u"]) == "/home/u/.local/share/hypha/priv_key.bin")
    #expect(keyFile(isRoot: false, [:]) == "/var/lib/hypha/priv_key.bin")
    #expect(DefaultPaths.current().configurationFile == "/etc/hypha/hypha.toml")
}

@Test func randomWordsNeverTrap() {
    let words =
        CommandLineTable.flags.flatMap(\.names) + CommandName.allCases.map(\.rawValue)
        + ["", "-", "--", "=", "-k=", "--peers=", peerA, "5", "é", "--no-tun=", "-kd", "\0"]
    var hostile = Hostile(seed: 23)
    for _ in 0..<3000 {
        let line = (0..<hostile.number(below: 7)).map { _ in words[hostile.number(below: words.count)] }
        do {
            _ = try CommandLineParser.parse(line)
        } catch let error {
            #expect(!error.message.isEmpty && !error.message.contains("\n"))
        }
    }
}
