/// What a node has counted since its start.
public struct StockCounters: Codable, Equatable, Sendable {
    /// Data packets by way: read from links, written to links, of those for others, from the host, to the host.
    public var dataReceived = 0
    public var dataSent = 0
    public var forwarded = 0
    public var fromHost = 0
    public var toHost = 0
    /// ICMP errors: sealed for others, opened for the host, made for the host.
    public var errorsSent = 0
    public var errorsOpened = 0
    public var errorsLocal = 0
    /// Control packets.
    public var hellosReceived = 0
    public var ihusReceived = 0
    public var updatesReceived = 0
    public var routeRequestsReceived = 0
    public var seqnoRequestsReceived = 0
    public var updatesSent = 0
    public var retractionsSent = 0
    public var routeRequestsSent = 0
    public var seqnoRequestsSent = 0
    /// Links that were added, and those that ended by silence.
    public var linksAdded = 0
    public var linksSilent = 0
}
