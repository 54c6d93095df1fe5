/// What a node prints of itself.
public struct StockReport: Codable, Sendable {
    public struct Peer: Codable, Sendable {
        public var name: String
        /// The smoothed round trip and the transport's share.
        public var cost: Int
        /// The stream ended in a way that routing does not notice.
        public var isBroken: Bool
        /// Milliseconds since the last IHU, or since the link was added.
        public var sinceIHU: Int
        /// 40 bytes in hexadecimal, once it has said so.
        public var routerID: String?
    }

    public struct Route: Codable, Sendable {
        public var subnet: String
        public var nextHop: String
        /// As received; 65535 is infinite.
        public var metric: Int
        public var seqno: Int
        public var routerID: String
        public var isSelected: Bool
        /// Milliseconds that it still holds.
        public var expiresIn: Int
    }

    public var address: String
    public var key: String
    public var routerID: String
    public var seqno: Int
    public var peers: [Peer]
    public var routes: [Route]
    public var queried: [String]
    public var counters: StockCounters
    public var drops: [String: Int]
    public var oddities: [String: Int]
    public var examples: [String: String]
    /// A route request with an IPv4 prefix came: nothing is answered any more.
    public var controlPlaneIsDead: Bool
}
