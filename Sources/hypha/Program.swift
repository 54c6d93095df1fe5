internal import CSodium
internal import Glibc
internal import HyphaIdentity

/// The whole program apart from a running node: reads the command line and the configuration, and does what was asked.
struct Program {
    /// Exit codes.
    enum Exit {
        static let done: Int32 = 0
        static let failed: Int32 = 1
        static let usage: Int32 = 2
    }

    var paths: DefaultPaths
    /// Standard output; false when it cannot be written.
    var output: (String) -> Bool
    /// Standard error.
    var errors: @Sendable (String) -> Void
    /// Runs a node and returns its exit code.
    var start: (Configuration) -> Int32

    /// Runs the words after the program's name; returns the exit code.
    func run(_ words: [String]) -> Int32 {
        let request: CommandLineRequest
        do throws(UsageError) {
            request = try CommandLineParser.parse(words)
        } catch {
            errors("hypha: \(error.message); \"hypha --help\" lists commands and flags\n")
            return Exit.usage
        }
        switch request.command {
        case .run: return runNode(request)
        case .generateKeys: return generateKeys(request)
        case .inspect: return inspect(request)
        case .version: return show("hypha \(Version.number)\n")
        case .help: return help(request)
        }
    }

    private func runNode(_ request: CommandLineRequest) -> Int32 {
        guard let configuration = configuration(request) else { return Exit.failed }
        return request.check ? show("configuration is fine\n") : start(configuration)
    }

    private func help(_ request: CommandLineRequest) -> Int32 {
        guard let word = request.operands.first else { return show(CommandLineHelp.text(of: nil)) }
        guard let command = CommandName(rawValue: word) else {
            errors("hypha: unknown command \(PrintableText.quote(word)); \"hypha --help\" lists commands and flags\n")
            return Exit.usage
        }
        return show(CommandLineHelp.text(of: command))
    }

    /// An existing key is left alone, which is no failure: scripts call this at every start.
    private func generateKeys(_ request: CommandLineRequest) -> Int32 {
        guard let configuration = configuration(request) else { return Exit.failed }
        let path = configuration.node.keyFile
        let log = log(configuration)
        do throws(KeyFileError) {
            let generating = "Generating new node keys key_path=\(PrintableText.quote(path, limit: 4096))"
            if request.force {
                log.info("key_created", generating)
                if let old = try KeyFile(path: path).replace().old {
                    log.info("key_kept", "Kept the old keys key_path=\(PrintableText.quote(old, limit: 4096))")
                }
            } else if try KeyFile(path: path).loadOrCreate().isNew {
                log.info("key_created", generating)
            } else {
                log.warning(
                    "key_exists",
                    "Refusing to generate new keys as key file already exists, use `--force` to generate them anyway "
                        + "key_path=\(PrintableText.quote(path, limit: 4096))")
            }
        } catch {
            log.error("key_failed", error.description)
            return Exit.failed
        }
        return Exit.done
    }

    private func inspect(_ request: CommandLineRequest) -> Int32 {
        if let word = request.operands.first {
            do throws(InvalidValue) {
                return show(InspectCommand.text(of: try InspectCommand.key(word), json: request.json))
            } catch {
                errors("hypha: inspect KEY: \(error.reason)\n")
                return Exit.failed
            }
        }
        guard let configuration = configuration(request) else { return Exit.failed }
        do throws(KeyFileError) {
            let identity = try KeyFile(path: configuration.node.keyFile).load()
            return show(InspectCommand.text(of: identity.publicKey, json: request.json))
        } catch {
            log(configuration).error("key_failed", error.description)
            return Exit.failed
        }
    }

    /// The effective configuration; nil after saying what is wrong.
    private func configuration(_ request: CommandLineRequest) -> Configuration? {
        do throws(ConfigurationLoader.Failure) {
            return try ConfigurationLoader.load(request, paths: paths)
        } catch {
            for line in error.lines { errors(line + "\n") }
            return nil
        }
    }

    /// Commands log like the node does, except that they never write for the journal.
    private func log(_ configuration: Configuration) -> Log {
        Log(level: configuration.log.level, format: configuration.log.format, write: errors)
    }

    private func show(_ text: String) -> Int32 {
        if output(text) { return Exit.done }
        errors("hypha: standard output cannot be written: \(SystemError.last)\n")
        return Exit.failed
    }
}

/// The program's entry: runs the words of the command line, the program's name first, and returns the exit code.
func runProgram(_ words: [String]) -> Int32 {
    guard sodium_init() >= 0 else {
        StandardError.write("hypha: libsodium cannot start: there is no source of random numbers\n")
        return Program.Exit.failed
    }
    let program = Program(
        paths: .current(), output: { StandardStream.write($0, to: STDOUT_FILENO) }, errors: StandardError.write,
        start: runNode)
    return program.run(Array(words.dropFirst()))
}
