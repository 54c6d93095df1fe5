internal import Glibc

/// Makes the effective configuration: defaults, then the file, then flags.
enum ConfigurationLoader {
    /// Why there is no configuration: one line for each problem, with its place.
    struct Failure: Error {
        let lines: [String]
    }

    /// Bytes of the largest configuration file, enough for the largest number of peers several times over.
    static let fileLimit = 4 << 20
    /// Problems shown at one time.
    static let problemLimit = 20

    static func load(_ request: CommandLineRequest, paths: DefaultPaths) throws(Failure) -> Configuration {
        let file = request.configurationFile ?? paths.configurationFile
        let bytes = try contents(file, mayBeMissing: request.configurationFile == nil)
        return try load(bytes ?? [], file: file, overrides: request.overrides, keyFile: paths.keyFile)
    }

    /// The configuration of a file's bytes. `file` names it in messages, `keyFile` is the default key file.
    static func load(
        _ bytes: [UInt8], file: String, overrides: [ConfigurationOverride], keyFile: String
    ) throws(Failure) -> Configuration {
        var draft = ConfigurationDraft()
        draft.configuration.node.keyFile = keyFile
        let document: TOMLDocument
        do throws(TOMLError) {
            document = try TOMLDocument(parsing: bytes)
        } catch {
            let problem = ConfigurationProblem(origin: .file(error.position), message: error.message)
            throw Failure(lines: [problem.line(file: file)])
        }
        let reader = ConfigurationReader(document, into: draft)
        draft = reader.draft
        var problems = reader.problems + ConfigurationOverride.apply(overrides, to: &draft)
        let (configuration, crossProblems) = draft.finish()
        problems += crossProblems
        guard problems.isEmpty else {
            problems.sort { $0.origin.precedes($1.origin) }
            var lines = problems.prefix(problemLimit).map { $0.line(file: file) }
            if problems.count > problemLimit { lines.append("\(file): and \(problems.count - problemLimit) more") }
            throw Failure(lines: lines)
        }
        return configuration
    }

    private static func contents(_ file: String, mayBeMissing: Bool) throws(Failure) -> [UInt8]? {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try FileDescriptor.open(file, O_RDONLY).read(limit: fileLimit + 1)
        } catch {
            if mayBeMissing, error.code == ENOENT { return nil }
            throw Failure(lines: ["\(file): cannot be read: \(error)"])
        }
        guard bytes.count <= fileLimit else {
            throw Failure(lines: ["\(file): is larger than \(ByteSize(bytes: fileLimit)), no configuration is"])
        }
        return bytes
    }
}
