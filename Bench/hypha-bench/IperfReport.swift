import FoundationEssentials

/// What `iperf3 --json` says about one run of the client.
struct IperfReport: Decodable {
    struct Sum: Decodable {
        var seconds: Double
        var bitsPerSecond: Double
        /// TCP, on the sending side.
        var retransmits: Int?
    }

    struct End: Decodable {
        /// TCP, and UDP of newer versions.
        var sumSent: Sum?
        var sumReceived: Sum?
        /// UDP.
        var sum: Sum?
    }

    var end: End?
    var error: String?

    init(parsing json: String) throws(BenchError) {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            self = try decoder.decode(IperfReport.self, from: Data(json.utf8))
        } catch {
            throw .failed("iperf3 answered what is not its JSON: \(json.prefix(200))")
        }
        if let error { throw .failed("iperf3: \(error)") }
    }
}
