import Testing

/// The built program in network namespaces. One topology for all, one test at a time.
@Suite(
    .serialized, .enabled(if: SystemRequirements.missing.isEmpty, Comment(rawValue: SystemRequirements.missing)),
    .sharedTopology)
struct SystemTests {}
