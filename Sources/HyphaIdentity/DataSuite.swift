/// AEADs for the packets of a session, by the value that stands in INIT and RESP. INIT offers a sum of them.
public enum DataSuite {
    /// Always offered.
    public static let chaCha20Poly1305: UInt8 = 1
    /// Offered by nodes whose processor runs it in constant time and faster.
    public static let aes256GCM: UInt8 = 2

    static let known: UInt8 = chaCha20Poly1305 | aes256GCM

    /// True for exactly one known suite out of `offered`.
    static func isChoice(_ suite: UInt16, of offered: UInt8) -> Bool {
        suite.nonzeroBitCount == 1 && suite & UInt16(offered & known) == suite
    }
}
