/// Two bytes by which a node says that it speaks the native end-to-end protocol, in places that stock nodes ignore: bytes
/// 2 and 3 of a sealed user header, where it is authentic, and the zone of a router id, where it is a hint.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 1 | 0x48 |
/// | 1 | 1 | capability bits; none is defined yet, unknown ones are ignored |
@frozen
public struct NativeMark: Equatable, BitwiseCopyable, Sendable {
    public static let first: UInt8 = 0x48
    public var capabilities: UInt8

    @inlinable @inline(__always)
    public init(capabilities: UInt8) { self.capabilities = capabilities }

    /// From the two bytes; nil when they are no mark.
    @inlinable @inline(__always)
    public init?(_ first: UInt8, _ second: UInt8) {
        guard first == NativeMark.first else { return nil }
        capabilities = second
    }
}
