/// The tables of a configuration file.
enum ConfigurationSection: String, CaseIterable, Sendable {
    /// Keys in front of the first table.
    case top = ""
    case node, tun, listen, peer, route, discovery, routing, crypto, limits, tuning, log

    /// True for tables that may occur any number of times.
    var isRepeated: Bool {
        switch self {
        case .listen, .peer, .route: true
        default: false
        }
    }

    /// As it stands in a file.
    var header: String { isRepeated ? "[[\(rawValue)]]" : "[\(rawValue)]" }
}
