import HyphaWire

/// What one node sends another at once: consecutive entries, as control puts them into one datagram or one write.
struct SimMessage: Sendable {
    /// Bytes of entries in one datagram to a hypha node, and of frames in one write to a stock node.
    static let hyphaLimit = 1_100
    static let stockLimit = 1_400

    let link: Int
    let to: Int
    let session: UInt32
    var entries: [BabelTLV] = []
    /// Bytes of the entries with their headers.
    var size = 0

    /// Bytes of an entry: with its control entry header on HL1, as a frame of its own on a stream.
    static func size(of tlv: BabelTLV, isStream: Bool) -> Int {
        (isStream ? 10 : 3) + bodySize(tlv)
    }

    /// Bytes around the entries: link header, tag, UDP and IPv4; on a stream those of TCP and IPv4.
    static func overhead(isStream: Bool) -> Int { isStream ? 40 : 16 + 16 + 28 }

    /// As many as `tlv.body` has, mostly without making it.
    static func bodySize(_ tlv: BabelTLV) -> Int {
        switch tlv {
        case .hello(let hello): hello.progress.map { $0.heard == nil ? 12 : 16 } ?? 6
        case .ihu: tlv.body.count
        case .update(let update): (update.serial == nil ? 50 : 54) + (update.prefix.length + 7) / 8
        case .routeRequest(let request):
            if let missing = request.missing {
                7 + 4 * min(missing.ranges.count, BabelTLV.Missing.capacity)
            } else {
                3 + ((request.prefix?.length ?? 0) + 7) / 8
            }
        case .seqnoRequest(let request): 46 + (request.prefix.length + 7) / 8
        }
    }
}
