internal import HyphaBase
internal import HyphaIdentity

/// Shows which node this is. Returns the program's exit code.
func runNode(_ configuration: Configuration) -> Int32 {
    let log = Log(configuration.log)
    defer { log.reportSuppressed() }
    do throws(KeyFileError) {
        let file = KeyFile(path: configuration.node.keyFile)
        let (identity, isNew) = try file.loadOrCreate()
        if isNew { log.info("key_created", "made the key file \(file.path)") }
        log.info("node_address", "node \(identity.address), key \(identity.publicKey.hex)")
        return Program.Exit.done
    } catch {
        log.error("key_failed", error.description)
        return Program.Exit.failed
    }
}
