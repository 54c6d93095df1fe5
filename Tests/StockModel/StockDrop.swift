/// Why a packet went no further.
public enum StockDrop: String, CaseIterable, Codable, Sendable {
    case notIPv6, aboveMTU, ownSubnet, foreignSource, hopLimit, noRoute, queueFull, queryFailed, linkGone
    case payloadShort, notAuthentic, userVersion, userType, contentShort, message, noTun, ownSource, errorUnusable
    case errorWithoutKey
}
