/// A sequence number of an origin, modulo 65536 (RFC 8966 section 3.2.1).
///
/// Deliberately not `Comparable`: "newer" is not transitive, and numbers exactly 32768 apart are neither newer nor older.
public struct Seqno: Hashable, Sendable {
    public var value: UInt16

    public init(_ value: UInt16) { self.value = value }

    /// Whether this one is 1 to 32767 steps ahead of `other`.
    public func isNewer(than other: Seqno) -> Bool {
        let ahead = value &- other.value
        return ahead != 0 && ahead < 32768
    }

    /// Whether `other` is newer than this one.
    public func isOlder(than other: Seqno) -> Bool { other.isNewer(than: self) }

    /// `steps` later.
    public func advanced(by steps: UInt16 = 1) -> Seqno { Seqno(value &+ steps) }
}
