import FoundationEssentials

/// What `iperf3 --json` says about one run of the client.
struct IperfReport: Decodable {
    struct Sum: Decodable {
        var seconds: Double
        var bytes: Double
        var bits_per_second: Double
        /// TCP, on the sending side.
        var retransmits: Int?
        /// UDP.
        var packets: Int?
        var lost_packets: Int?
    }

    struct Stream: Decodable {
        var udp: Sum?
    }

    struct End: Decodable {
        var streams: [Stream]?
        /// TCP, and UDP of newer versions.
        var sum_sent: Sum?
        var sum_received: Sum?
        /// UDP.
        var sum: Sum?
    }

    var end: End?
    var error: String?

    init(parsing json: String) throws(BenchError) {
        do {
            self = try JSONDecoder().decode(IperfReport.self, from: Data(json.utf8))
        } catch {
            throw .failed("iperf3 answered what is not its JSON: \(json.prefix(200))")
        }
        if let error { throw .failed("iperf3: \(error)") }
    }
}
