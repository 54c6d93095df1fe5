@testable import hypha

/// One run of the program without its process: what it printed, its exit code, and the configuration of a started node.
struct ProgramRun {
    let code: Int32
    let output: String
    let errors: String
    let started: Configuration?

    init(
        _ words: [String], keyFile: String = "/nonexistent/priv_key.bin",
        configurationFile: String = "/nonexistent/hypha.toml"
    ) {
        let output = Captured()
        let errors = Captured()
        var started: Configuration?
        let program = Program(
            paths: DefaultPaths(configurationFile: configurationFile, keyFile: keyFile),
            output: {
                output.add($0)
                return true
            },
            errors: { errors.add($0) },
            start: {
                started = $0
                return 0
            })
        code = program.run(words)
        self.output = output.text
        self.errors = errors.text
        self.started = started
    }
}
