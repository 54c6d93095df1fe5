internal import CAEAD

/// Which data suites this node offers, and which library runs them.
///
/// ChaCha20-Poly1305 is always offered. AES-256-GCM is offered where the CPU runs it in constant-time instructions and
/// it is measurably faster than ChaCha20-Poly1305, for headers and for whole packets alike.
struct SuiteChoice {
    /// Bit 0 ChaCha20-Poly1305, bit 1 AES-256-GCM.
    let offered: UInt8
    /// One line for the log.
    let summary: String

    /// Chooses providers for the process and measures for a few milliseconds. Throws a line for the user when the
    /// configuration asks for what is not there.
    static func make(_ crypto: Configuration.Crypto) throws(NodeError) -> SuiteChoice {
        let wanted: Int32 =
            switch crypto.provider {
            case .auto: Int32(CAEAD_PROVIDER_AUTO)
            case .ipsecMB: Int32(CAEAD_PROVIDER_IPSEC_MB)
            case .libcrypto: Int32(CAEAD_PROVIDER_LIBCRYPTO)
            case .libsodium: Int32(CAEAD_PROVIDER_LIBSODIUM)
            }
        let chacha = Int32(CAEAD_SUITE_CHACHA20_POLY1305)
        let aes = Int32(CAEAD_SUITE_AES_256_GCM)
        guard caead_select(chacha, wanted) == 0 else {
            throw NodeError(
                "crypto.provider = \"\(crypto.provider.rawValue)\" is not available on this machine; use \"auto\"")
        }
        let hasAES = caead_aes_is_constant_time() != 0 && caead_select(aes, wanted) == 0
        for suite in hasAES ? [chacha, aes] : [chacha] {
            guard caead_self_test(suite, caead_provider(suite)) == 1 else {
                throw NodeError(
                    "\(name(suite)) of \(provider(suite)) fails its known answer: the library or this machine is broken; "
                        + "try another crypto.provider")
            }
        }
        let useAES: Bool
        switch crypto.suites {
        case .chaCha20Poly1305: useAES = false
        case .aes256GCM:
            guard hasAES else {
                throw NodeError(
                    "crypto.suites = \"aes-256-gcm\" needs a CPU with AES and carry-less multiply instructions; use \"auto\""
                )
            }
            useAES = true
        case .auto: useAES = hasAES && isFaster(aes, than: chacha)
        }
        let used = useAES ? [chacha, aes] : [chacha]
        return SuiteChoice(
            offered: useAES ? 3 : 1,
            summary: used.map { "\(name($0)) by \(provider($0))" }.joined(separator: ", "))
    }

    /// Faster for a header and for a full packet, with a margin so that noise does not decide.
    private static func isFaster(_ suite: Int32, than other: Int32) -> Bool {
        [64, 1_400].allSatisfy { length in
            let a = caead_measure(suite, caead_provider(suite), length)
            let b = caead_measure(other, caead_provider(other), length)
            return a > 0 && b > 0 && a < 0.9 * b
        }
    }

    private static func name(_ suite: Int32) -> String {
        suite == Int32(CAEAD_SUITE_AES_256_GCM) ? "AES-256-GCM" : "ChaCha20-Poly1305"
    }

    private static func provider(_ suite: Int32) -> String {
        String(cString: caead_provider_name(caead_provider(suite)))
    }
}
