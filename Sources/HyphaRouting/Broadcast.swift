import HyphaWire

/// A few Updates on their way to all neighbours, together, so that they share messages.
struct Broadcast: Sendable {
    /// As many as fill a message.
    static let capacity = 16

    struct Item: Sendable {
        var update: BabelTLV.Update
        /// Number of the prefix, see `Router.subject`.
        var subject: UInt32
        /// The next hop, which does not need to hear of its own route.
        var except: NeighbourID?
    }

    var items: [Item] = []
    /// The last neighbour that has them.
    var last: NeighbourID?
}
