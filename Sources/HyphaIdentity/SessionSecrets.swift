/// The keys of an agreed session: one per lane and direction, wiped with the last owner.
///
/// The keys that they come from are gone by the time this exists. A lane belongs to one worker, which alone seals with
/// its key, so no nonce can repeat.
public final class SessionSecrets: Sendable {
    /// Lanes that keys exist for.
    public static let laneCount = 16
    /// Size of a lane key in bytes.
    public static let keySize = 32

    /// The data suite agreed (`DataSuite`): 1 or 2.
    public let suite: UInt8
    /// Lanes in use both ways, 1...16: the smaller of both offers. Lanes are 0..<lanes.
    public let lanes: Int
    private let sendKeys: SecretBytes
    private let receiveKeys: SecretBytes

    /// `sending`, `receiving`: direction keys, of which the first 32 bytes count.
    init(scope: HandshakeScope, suite: UInt8, lanes: UInt8, sending: SecretBytes, receiving: SecretBytes) {
        self.suite = suite
        self.lanes = Int(lanes)
        sendKeys = SessionSecrets.laneKeys(scope: scope, suite: suite, direction: sending)
        receiveKeys = SessionSecrets.laneKeys(scope: scope, suite: suite, direction: receiving)
    }

    /// The key to seal with on `lane` (0..<16, anything else is a programming error). The caller wipes the copy.
    public func sendLaneKey(_ lane: Int) -> [UInt8] { SessionSecrets.key(lane, of: sendKeys) }

    /// The key to open with on `lane` (0..<16, anything else is a programming error). The caller wipes the copy.
    public func receiveLaneKey(_ lane: Int) -> [UInt8] { SessionSecrets.key(lane, of: receiveKeys) }

    private static func key(_ lane: Int, of keys: SecretBytes) -> [UInt8] {
        precondition((0..<laneCount).contains(lane), "lane out of range")
        return keys.copy(offset: lane * keySize, count: keySize)
    }

    private static func laneKeys(scope: HandshakeScope, suite: UInt8, direction: SecretBytes) -> SecretBytes {
        let directionKey = direction.prefix(keySize)
        return unsafe SecretBytes(count: laneCount * keySize) { target in
            for lane in 0..<laneCount {
                let input = scope.laneInput(lane: UInt8(truncatingIfNeeded: lane), suite: suite)
                let key = BLAKE2b.derive(keySize, key: directionKey, input)
                unsafe key.withBytes { key in
                    for i in 0..<keySize { unsafe target[lane * keySize + i] = key[i] }
                }
            }
        }
    }
}
