/// One route control message between neighbours, in the form that Mycelium nodes speak.
///
/// Derived from Babel (RFC 8966), but the bodies differ from it. A TLV is type (1), length of the body (1), body; all
/// numbers are big-endian. Prefixes travel as the fewest whole bytes that hold their length.
///
/// Stock nodes send, and survive, only these five types, alone in their packet, with exactly the natural length and with
/// zero bits beyond every prefix length: that is all `append(to:)` can make. Reading is tolerant (see `decode`).
public enum BabelTLV: Hashable, Sendable {
    case hello(Hello)
    case ihu(IHU)
    case update(Update)
    case routeRequest(RouteRequest)
    case seqnoRequest(SeqnoRequest)

    /// The number in front of the body. As a link control message of HL1 it is this plus 0x80.
    public var type: UInt8 {
        switch self {
        case .hello: Hello.type
        case .ihu: IHU.type
        case .update: Update.type
        case .routeRequest: RouteRequest.type
        case .seqnoRequest: SeqnoRequest.type
        }
    }

    /// Appends the body, 3 to 71 bytes, without type and length. To a stock node nothing may go that has serials.
    public func appendBody(to bytes: inout [UInt8]) {
        switch self {
        case .hello(let hello): hello.append(to: &bytes)
        case .ihu(let ihu): ihu.append(to: &bytes)
        case .update(let update): update.append(to: &bytes)
        case .routeRequest(let request): request.append(to: &bytes)
        case .seqnoRequest(let request): request.append(to: &bytes)
        }
    }

    /// The body, without type and length.
    public var body: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(72)
        appendBody(to: &bytes)
        return bytes
    }

    /// Reads one body of `body.count` bytes. Bytes beyond what the type needs are not looked at; with `isNumbered`, for
    /// messages on datagram links between hypha nodes, serials are read there.
    ///
    /// Bits beyond a prefix length are cleared, and the reading says so: stored or passed on they can abort a stock node.
    public static func decode(
        type: UInt8, body: UnsafeRawBufferPointer, isNumbered: Bool = false
    ) -> BabelTLVReading {
        var reader = ByteReader(body)
        return switch type {
        case Hello.type: Hello.decode(&reader, isNumbered: isNumbered)
        case IHU.type: IHU.decode(&reader)
        case Update.type: Update.decode(&reader, isNumbered: isNumbered)
        case RouteRequest.type: RouteRequest.decode(&reader, isNumbered: isNumbered)
        case SeqnoRequest.type: SeqnoRequest.decode(&reader)
        default: .refused(.unknownType)
        }
    }

    /// As above, from an array.
    public static func decode(type: UInt8, body: [UInt8], isNumbered: Bool = false) -> BabelTLVReading {
        body.withUnsafeBytes { decode(type: type, body: $0, isNumbered: isNumbered) }
    }
}
