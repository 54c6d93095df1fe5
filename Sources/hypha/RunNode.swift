internal import HyphaRim

/// Runs a node until a signal ends it. Returns the program's exit code.
func runNode(_ configuration: Configuration) -> Int32 {
    let log = Log(configuration.log)
    defer { log.reportSuppressed() }
    do {
        var node = try Node.open(configuration, log: log)
        return node.run()
    } catch {
        log.error("start_failed", "\(error)")
        return Program.Exit.failed
    }
}
