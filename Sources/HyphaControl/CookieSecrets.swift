import HyphaBase
import HyphaIdentity

/// The secrets behind the cookies that this node gives: one for 120 s, the one before it accepted for 120 s more.
struct CookieSecrets: Sendable {
    private var current: [UInt8]
    private var previous: [UInt8]?
    /// Number of the current secret.
    private var epoch: UInt64 = 1
    private var since: Instant

    private static let lifeMilliseconds: UInt64 = 120_000

    init(now: Instant, random: inout any RandomSource) {
        current = random.bytes(16)
        since = now
    }

    /// Replaces what is too old; to be called before a secret is used.
    mutating func rotate(now: Instant, random: inout any RandomSource) {
        let age = now.milliseconds(since: since)
        guard age >= CookieSecrets.lifeMilliseconds else { return }
        previous = age < 2 * CookieSecrets.lifeMilliseconds ? current : nil
        current = random.bytes(16)
        epoch &+= 1
        since = now
    }

    /// The cookie for whoever sends from `path`.
    func cookie(for path: HandshakePath) -> [UInt8] {
        CookieSecrets.value(current, epoch, path)
    }

    /// True when mac2 of the INIT `message` was made with a cookie for `path`.
    func isCarried(by message: [UInt8], from path: HandshakePath) -> Bool {
        guard message.suffix(HandshakeMessage.macSize).contains(where: { $0 != 0 }) else { return false }
        if ReceivedInit.checkMAC2(message: message, cookie: cookie(for: path)) { return true }
        guard let previous else { return false }
        return ReceivedInit.checkMAC2(message: message, cookie: CookieSecrets.value(previous, epoch &- 1, path))
    }

    private static func value(_ secret: [UInt8], _ epoch: UInt64, _ path: HandshakePath) -> [UInt8] {
        switch path {
        case .underlay(let sender, _):
            Cookie.value(
                secret: secret, family: sender.isIPv4 ? 4 : 6, address: sender.address, port: sender.port,
                epoch: epoch)
        case .overlay(let source, let link):
            Cookie.value(secret: secret, overlaySource: source, ingressLink: UInt64(link), epoch: epoch)
        }
    }
}
