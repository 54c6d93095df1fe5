/// What a well-behaved 0.7.10 node does not write. Some of it is harmless: a test names what it expects.
public enum StockOddity: String, CaseIterable, Codable, Sendable {
    // Frames and TLVs; all but the last six cost a stock reader a frame, its place in the stream or more.
    case badHeader, babelHeader, unknownTLV, bytesBehindTLV, shortBody, tlvLength
    case addressEncoding, prefixLength, strayBits
    /// Fields that stock nodes ignore have other values than theirs.
    case helloFields, helloSeqno, ihuFields, updateFields, updateInterval, routerIDZone
    case prefixNot64, generation, hopCount
    /// The own Update was not the first frame of the link; it was missing for a second.
    case ownUpdateNotFirst, ownUpdateLate
    /// No Hello for 25 s; no IHU for a second after our Hello; an IHU that no Hello of ours asked for.
    case helloLate, ihuLate, ihuUnasked
    /// The router id's key does not belong to the subnet, or the subnet is none of the overlay's.
    case updateRefused
    /// A retraction with another router id than its sender's.
    case retractionRouterID
    /// Outer addresses outside 400::/7, or that of this node as source.
    case dataAddress
    /// A payload below 32 bytes, or above the 1,432 of a full packet of the TUN.
    case dataShort, dataLarge
    /// For this node, and its key does not open it.
    case dataSealed
    /// A user header other than 01, type 0 to 2, 0000.
    case userHeader
    /// Inner addresses other than the outer ones.
    case innerAddress
}
