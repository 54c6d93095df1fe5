/// A neighbour at the other end of a byte stream.
struct StockLink: Sendable {
    /// Where it is, for the report.
    let name: String
    /// What the transport adds to the cost: 10 over IPv6, 15 over IPv4.
    let transportCost: UInt16
    var decoder = StockDecoder()
    var conduct: StockConduct
    /// Milliseconds, smoothed.
    var smoothedRTT: UInt16 = 1_000
    var helloSeqno: UInt16 = 0
    /// When the last Hello was queued; before the first, when the link was added.
    var helloSent: UInt64
    var lastIHU: UInt64
    /// Nothing is read or written any more, and routing does not know it yet.
    var isBroken = false
    /// What waits to be written.
    var output: [UInt8] = []

    init(name: String, transportCost: UInt16, now: UInt64) {
        self.name = name
        self.transportCost = transportCost
        conduct = StockConduct(now: now)
        helloSent = now
        lastIHU = now
    }

    var cost: UInt16 { StockMetric.sum(smoothedRTT, transportCost) }

    mutating func write(_ frame: [UInt8]) {
        if !isBroken { output += frame }
    }

    /// Any IHU is a sample, the unsolicited too. The sample wraps above 65,535 ms.
    mutating func heardIHU(now: UInt64) {
        smoothedRTT = StockMetric.smoothed(smoothedRTT, sample: UInt16(truncatingIfNeeded: now - helloSent))
        lastIHU = now
    }

    /// What a read gave; nil when nothing is read any more.
    mutating func decode(_ bytes: [UInt8]) -> [StockPacket]? { isBroken ? nil : decoder.receive(bytes) }

    mutating func takeOutput() -> [UInt8] {
        defer { output = [] }
        return output
    }

    mutating func append(_ datagram: StockDatagram) {
        if !isBroken { StockEncoder.append(datagram, to: &output) }
    }

    mutating func sayHello(now: UInt64) {
        write(StockEncoder.hello(seqno: helloSeqno))
        helloSeqno &+= 1
        helloSent = now
        conduct.sentHello(now: now)
    }
}
