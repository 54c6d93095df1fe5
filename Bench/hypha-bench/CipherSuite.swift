import CAEAD

/// The AEAD of a session (docs/protocol.md, "Data suites").
enum CipherSuite: String, CaseIterable {
    case aes
    case chacha

    /// The number on the wire and in `CAEAD`.
    var number: UInt8 { self == .aes ? 2 : 1 }

    /// What INIT offers so that this suite is agreed on.
    var offer: UInt8 { self == .aes ? 3 : 1 }

    /// The value of the configuration key `crypto.suites`.
    var configured: String { self == .aes ? "aes-256-gcm" : "chacha20-poly1305" }

    /// AES where the processor has instructions for it.
    static var preferred: CipherSuite { caead_aes_is_constant_time() == 1 ? .aes : .chacha }
}
