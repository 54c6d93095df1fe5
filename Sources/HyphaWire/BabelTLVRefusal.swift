/// Why a route control packet, or one TLV of it, is not acted on. Each has its own counter.
public enum BabelTLVRefusal: UInt8, CaseIterable, Hashable, Sendable {
    /// The packet does not start with Babel's magic number.
    case magic
    /// Another version of Babel.
    case version
    /// The packet ends before its body, a TLV before its fields, or a body before its TLV.
    case truncated
    /// A type that nobody told us about.
    case unknownType
    /// An address encoding that does not exist, or that has no place in this TLV (link-local prefixes).
    case addressEncoding
    /// An IPv4 prefix. Passed on, it ends the control plane of a stock node.
    case ipv4Prefix
    /// A prefix length above 128.
    case prefixLength
    /// The wildcard encoding in an Update or a SeqnoRequest, or with a prefix length.
    case wildcard
    /// A SeqnoRequest whose hop count is used up.
    case hopCount
}
