/// What sender and sink say about one burst.
struct StreamBurst {
    /// Frames sent, and those that came out; their bytes.
    let offered: UInt64
    let packets: UInt64
    let bytes: UInt64
    let sampled: UInt64
    /// Frames a second as they were sent, and as they came out.
    let offeredRate: Double
    let rate: Double
    /// Nanoseconds from the first frame sent to the last one out.
    let duration: Double
    /// Shares of their core.
    let sender: Double
    let sink: Double

    /// Throws when frames came out wrong.
    init(sent: PipeMessage, received: PipeMessage) throws(BenchError) {
        let (start, end) = (try sent.number("start"), try sent.number("end"))
        let (first, last) = (try received.number("first"), try received.number("last"))
        offered = try sent.number("packets")
        packets = try received.number("packets")
        bytes = try received.number("bytes")
        sampled = try received.number("sampled")
        duration = Double(max(1, max(last, end) &- start))
        offeredRate = Double(offered) / Double(max(1, end &- start)) * 1e9
        rate = last > first ? Double(try received.number("later")) / Double(last &- first) * 1e9 : 0
        sender = Double(try sent.number("cpu")) / duration
        sink = Double(try received.number("cpu")) / duration
        let bad = try received.number("bad")
        guard bad == 0 else {
            let why = try received.text("why").split(separator: "_").joined(separator: " ")
            throw .failed("\(bad) of \(sampled) sampled frames came out wrong: \(why)")
        }
    }

    /// Share of what was sent that did not come out.
    var loss: Double { max(0, 1 - Double(packets) / Double(max(1, offered))) }
}
