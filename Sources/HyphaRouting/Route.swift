import HyphaBase

/// What one neighbour announced for one prefix: 24 bytes, so that full tables stay small.
struct Route: Sendable {
    /// Number of the next route to the same prefix, `RouteTable.none` at the end.
    var next: UInt32
    var destination: UInt32
    /// Number of the router id.
    var routerID: UInt32
    var expires: Tick
    var neighbour: NeighbourID
    var seqno: Seqno
    /// As announced, without the link to the neighbour. Always finite: a retraction removes the route.
    var metric: Metric
    /// Of the Update that said so, on links where they have serials.
    var serial: UInt16 = 0
}
