import HyphaBase

/// What the command line says.
struct Arguments {
    static let usage = """
        usage: stock-node --key-file FILE [--peers tcp://A:P ...] [--tcp-listen-port PORT] [--tun-name NAME] [--no-tun]
                          [--hello-period-ms MS]
        """

    var keyFile = ""
    var peers: [SocketAddress] = []
    var port: UInt16 = 9_651
    /// Nil leaves the host without packets.
    var tun: String? = "mycelium"
    var helloPeriod: UInt64 = 20_000

    /// `words` come without the program's name.
    init(_ words: some Collection<String>) throws(Failure) {
        var rest = Array(words.reversed())
        while let flag = rest.popLast() {
            switch flag {
            case "--no-tun": tun = nil
            case "--peers":
                while let text = rest.last, !text.hasPrefix("--") {
                    rest.removeLast()
                    peers.append(try Arguments.endpoint(text))
                }
            case "--key-file": keyFile = try Arguments.value(of: flag, &rest)
            case "--tun-name": tun = try Arguments.value(of: flag, &rest)
            case "--tcp-listen-port": port = try Arguments.number(of: flag, &rest)
            case "--hello-period-ms": helloPeriod = try Arguments.number(of: flag, &rest)
            default: throw Failure("unknown argument \(flag)\n\(Arguments.usage)", code: 2)
            }
        }
        if keyFile.isEmpty { throw Failure("--key-file is missing\n\(Arguments.usage)", code: 2) }
    }

    private static func value(of flag: String, _ rest: inout [String]) throws(Failure) -> String {
        guard let value = rest.popLast() else { throw Failure("\(flag) needs a value\n\(usage)", code: 2) }
        return value
    }

    private static func number<Number: FixedWidthInteger>(
        of flag: String, _ rest: inout [String]
    ) throws(Failure) -> Number {
        let text = try value(of: flag, &rest)
        guard let number = Number(text), number > 0 else {
            throw Failure("\(flag) \(text): not a number in range", code: 2)
        }
        return number
    }

    /// Only literal addresses, as in a stock node.
    private static func endpoint(_ text: String) throws(Failure) -> SocketAddress {
        guard text.hasPrefix("tcp://"), let address = SocketAddress(text.dropFirst(6)) else {
            throw Failure("\(text): an endpoint is tcp://1.2.3.4:9651 or tcp://[2001:db8::1]:9651", code: 2)
        }
        return address
    }
}
