/// What came out of reading one TLV.
public enum BabelTLVReading: Hashable, Sendable {
    /// Well formed. With `strayBits`, a prefix had bits set beyond its length; they are cleared in the value.
    case tlv(BabelTLV, strayBits: Bool)
    /// Nothing to act on.
    case refused(BabelTLVRefusal)
}
