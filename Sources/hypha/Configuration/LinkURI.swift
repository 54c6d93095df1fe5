internal import HyphaBase

/// The parts of a link's URI, `scheme://[user@]host[:port][?name=value&...]`. `udp://` means the same as `hl1://`.
struct LinkURI {
    /// How a link is made.
    enum Scheme: String, Sendable {
        /// Over UDP, between nodes that speak HL1.
        case hl1
        /// Over TCP, as stock Mycelium nodes make them.
        case tcp
    }

    /// UDP and TCP port when the URI names none.
    static let defaultPort: UInt16 = 9651

    enum Host {
        case address(IPv6Address, zone: String)
        case name(String)
    }

    let scheme: Scheme
    let user: String?
    let host: Host
    let port: UInt16
    let query: [(name: String, value: String)]

    init(parsing text: String) throws(InvalidValue) {
        guard text.utf8.count <= 1024, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw InvalidValue("must be at most 1024 characters of ASCII without blanks, \(PrintableText.quote(text))")
        }
        guard let mark = text.firstRange(of: "://") else {
            throw InvalidValue("must begin with hl1:// or tcp://, not \(PrintableText.quote(text))")
        }
        scheme = try LinkURI.scheme(text[..<mark.lowerBound].lowercased())
        let parts = text[mark.upperBound...].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var authority = parts[0]
        query = parts.count == 2 ? LinkURI.query(parts[1]) : []
        guard !authority.contains("/"), !authority.contains("#") else {
            throw InvalidValue("must end after the port, without a path, \(PrintableText.quote(text))")
        }
        if let at = authority.lastIndex(of: "@") {
            user = String(authority[..<at])
            authority = authority[authority.index(after: at)...]
        } else {
            user = nil
        }
        let hostText: Substring
        let portText: Substring?
        if authority.hasPrefix("[") {
            guard let bracket = authority.firstIndex(of: "]") else {
                throw InvalidValue("has no ] after the IPv6 address, \(PrintableText.quote(text))")
            }
            hostText = authority[authority.index(after: authority.startIndex)..<bracket]
            let rest = authority[authority.index(after: bracket)...]
            guard rest.isEmpty || rest.hasPrefix(":") else {
                throw InvalidValue("must have :port after the ], \(PrintableText.quote(text))")
            }
            portText = rest.isEmpty ? nil : rest.dropFirst()
            host = try LinkURI.bracketed(hostText)
        } else {
            let pieces = authority.split(separator: ":", omittingEmptySubsequences: false)
            guard pieces.count <= 2 else {
                throw InvalidValue(
                    "must have an IPv6 address in brackets, [::1]:9651, not \(PrintableText.quote(text))")
            }
            hostText = pieces[0]
            portText = pieces.count == 2 ? pieces[1] : nil
            host = try LinkURI.named(hostText)
        }
        port = try LinkURI.port(portText)
    }

    private static func scheme(_ text: String) throws(InvalidValue) -> Scheme {
        switch text {
        case "hl1", "udp": return .hl1
        case "tcp": return .tcp
        case "quic", "tls", "vsock":
            throw InvalidValue("this version has no \(text) links, only hl1:// and tcp://")
        default: throw InvalidValue("must begin with hl1:// or tcp://, not \(PrintableText.quote(text + "://"))")
        }
    }

    private static func query(_ text: Substring) -> [(name: String, value: String)] {
        text.split(separator: "&").map { part in
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (String(halves[0]), halves.count == 2 ? String(halves[1]) : "")
        }
    }

    private static func bracketed(_ text: Substring) throws(InvalidValue) -> Host {
        let halves = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        let zone = halves.count == 2 ? String(halves[1]) : ""
        guard let address = IPv6Address(halves[0]) else {
            throw InvalidValue("must have an IPv6 address in the brackets, not \(PrintableText.quote(String(text)))")
        }
        // Interface names have at most 15 characters.
        guard halves.count == 1 || (1...15).contains(zone.utf8.count) else {
            throw InvalidValue("must have an interface of 1 to 15 characters after the %, \(PrintableText.quote(zone))")
        }
        return .address(address, zone: zone)
    }

    /// An IPv4 address or a host name: labels of letters, digits, hyphens and underscores (RFC 1123 section 2.1).
    private static func named(_ text: Substring) throws(InvalidValue) -> Host {
        if let ipv4 = IPv6Address.parseIPv4(text) { return .address(.mapped(ipv4: ipv4), zone: "") }
        let labels = (text.hasSuffix(".") ? text.dropLast() : text)
            .split(separator: ".", omittingEmptySubsequences: false)
        let areNames = labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
                && label.utf8.allSatisfy { isLetterOrDigit($0) || $0 == 0x2D || $0 == 0x5F }
        }
        let endsInNumber = labels.last?.utf8.allSatisfy { (48...57).contains($0) } ?? true
        guard text.utf8.count <= 253, areNames, !endsInNumber else {
            throw InvalidValue("must have a host name or an IP address, not \(PrintableText.quote(String(text)))")
        }
        return .name(String(text))
    }

    private static func port(_ text: Substring?) throws(InvalidValue) -> UInt16 {
        guard let text else { return defaultPort }
        guard text.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(text) else {
            throw InvalidValue("must have a port from 0 to 65535, not \(PrintableText.quote(String(text)))")
        }
        return port
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }
}
