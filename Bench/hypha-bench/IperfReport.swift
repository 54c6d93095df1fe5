/// What `iperf3 --json` says about one run of the client.
struct IperfReport {
    /// Of the receiving side.
    var seconds: Double
    var bitsPerSecond: Double
    /// TCP, of the sending side; 0 for UDP.
    var retransmits: Double

    init(parsing json: String) throws(BenchError) {
        guard let report = JSONValue(parsing: json) else {
            throw .failed("iperf3 answered what is not its JSON: \(json.prefix(200))")
        }
        if let error = report["error"]?.text { throw .failed("iperf3: \(error)") }
        // Older versions have one sum for UDP.
        guard let end = report["end"], let received = end["sum_received"] ?? end["sum"],
            let seconds = received["seconds"]?.number, let bits = received["bits_per_second"]?.number
        else { throw .failed("iperf3 gave no result") }
        self.seconds = seconds
        bitsPerSecond = bits
        retransmits = end["sum_sent"]?["retransmits"]?.number ?? 0
    }
}
