import Testing

/// Gives the tests of a suite one running topology, and takes it down when the last one is over.
struct SharedTopology: SuiteTrait, TestScoping {
    @TaskLocal private static var running: Topology?

    /// The topology of the suite that is running.
    static var current: Topology {
        get throws {
            guard let running else { throw SystemTestError("no topology: the suite has no .sharedTopology") }
            return running
        }
    }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        guard SystemRequirements.missing.isEmpty else {
            try await function()
            return
        }
        let topology = try Topology()
        defer { topology.tearDown() }
        for node in [Topology.Node.r, .a, .b] { try topology.start(node) }
        try topology.awaitPing()
        try await SharedTopology.$running.withValue(topology) { try await function() }
    }
}

extension Trait where Self == SharedTopology {
    /// One running A-R-B topology for all tests of the suite.
    static var sharedTopology: SharedTopology { SharedTopology() }
}
