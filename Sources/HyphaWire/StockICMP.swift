public import HyphaBase

/// The content of a stock body of kind 2: an ICMPv6 error that a relay makes about a packet whose inside it cannot read.
/// It quotes the packet's sealed payload, which only the original sender can open.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 16 | destination of the failed packet |
/// | 16 | 40 | IPv6 header: next header 58, hop limit 64, source the relay's `<prefix>::`, destination the original source |
/// | 56 | 4 | ICMPv6 type, code, checksum |
/// | 60 | 4 | the error's parameter (MTU, pointer or zero), which the receiver carries on |
/// | 64 | | the failed packet's sealed payload, or nothing when it is longer than 1,232 bytes |
public enum StockICMP {
    /// Bytes in front of the quoted payload.
    public static let headerSize = 64
    /// A longer payload is not quoted at all, so nobody can use the error.
    public static let maxQuote = 1_232
    /// Content of any other size is dropped.
    public static let maxSize = headerSize + maxQuote

    /// An error as it arrives.
    @frozen
    public struct Report: Equatable, Sendable {
        /// Where the failed packet was to go: says which key opens the quote.
        public var target: IPv6Address
        public var type: UInt8
        public var code: UInt8
        /// The four bytes behind the checksum, as a number in network order.
        public var parameter: UInt32
        /// Bytes of the quoted payload, which stands `headerSize` bytes into the content; 0 for none.
        public var quoteLength: Int

        public init(target: IPv6Address, type: UInt8, code: UInt8, parameter: UInt32, quoteLength: Int) {
            self.target = target
            self.type = type
            self.code = code
            self.parameter = parameter
            self.quoteLength = quoteLength
        }
    }

    /// Reads content of `length` bytes; nil when it has a wrong size or is no ICMPv6 error (RFC 4443 gives errors the types
    /// below 128): anything else, neighbour discovery above all, has no business in the host. The checksum is not looked
    /// at: the body is authentic, and the packet for the host gets a new one.
    public static func parse(_ content: UnsafeRawPointer, length: Int) -> Report? {
        guard length >= headerSize, length <= maxSize else { return nil }
        let type = content.load(fromByteOffset: 56, as: UInt8.self)
        guard type >= 1, type < 128 else { return nil }
        return Report(
            target: IPv6Address(loading: content), type: type, code: content.load(fromByteOffset: 57, as: UInt8.self),
            parameter: UInt32(bigEndian: content.loadUnaligned(fromByteOffset: 60, as: UInt32.self)),
            quoteLength: length - headerSize)
    }

    /// Writes the content of an error about a stock data frame (40 bytes of header and its payload) to `out`, at least
    /// `maxSize` bytes, and returns its length. `relay` is the node's `<prefix>::`. 0 when the frame is malformed.
    ///
    /// The body is then sealed with the key shared with the frame's source and sent there from `relay`, hop limit 64 before
    /// the node's own step.
    public static func write(
        _ message: ICMPv6.Message, about frame: UnsafeRawBufferPointer, relay: IPv6Address,
        to out: UnsafeMutableRawPointer
    ) -> Int {
        guard let base = frame.baseAddress, frame.count >= StockData.headerSize,
            frame.count == StockData.headerSize + StockData.payloadLength(base)
        else { return 0 }
        let payload = frame.count - StockData.headerSize
        let quote = payload > maxQuote ? 0 : payload
        StockData.destination(base).store(to: out)
        (out + headerSize).copyMemory(from: base + StockData.headerSize, byteCount: quote)
        let (type, code) = message.typeCode
        var parameter: UInt32 = 0
        if case .packetTooBig(let mtu) = message { parameter = mtu }
        writeHeaders(
            out + 16, type: type, code: code, parameter: parameter, hopLimit: 64, source: relay,
            destination: StockData.source(base), quoteLength: quote)
        return headerSize + quote
    }

    /// Writes the 48 bytes of IPv6 and ICMPv6 header at `packet`, in front of a quote that already stands behind them,
    /// checksum included.
    public static func writeHeaders(
        _ packet: UnsafeMutableRawPointer, type: UInt8, code: UInt8, parameter: UInt32, hopLimit: UInt8,
        source: IPv6Address, destination: IPv6Address, quoteLength: Int
    ) {
        let length = 8 + quoteLength
        packet.storeBytes(of: UInt32(0x6000_0000).bigEndian, as: UInt32.self)
        packet.storeBytes(of: UInt16(truncatingIfNeeded: length).bigEndian, toByteOffset: 4, as: UInt16.self)
        packet.storeBytes(of: 58, toByteOffset: 6, as: UInt8.self)
        packet.storeBytes(of: hopLimit, toByteOffset: 7, as: UInt8.self)
        source.store(to: packet + 8)
        destination.store(to: packet + 24)
        packet.storeBytes(of: type, toByteOffset: 40, as: UInt8.self)
        packet.storeBytes(of: code, toByteOffset: 41, as: UInt8.self)
        packet.storeBytes(of: 0, toByteOffset: 42, as: UInt16.self)
        packet.storeBytes(of: parameter.bigEndian, toByteOffset: 44, as: UInt32.self)
        let sum = Checksum.add(
            packet + 40, count: length, to: Checksum.pseudoHeader(ipv6: packet, length: length, nextHeader: 58))
        packet.storeBytes(of: ~Checksum.fold(sum), toByteOffset: 42, as: UInt16.self)
    }

    /// Writes the packet for the host: the error `report` about `inner`, the failed packet as it was sent, which already
    /// stands at `packet` + 48. Addresses and hop limit (after this node's step) are those of the frame that brought it.
    /// Returns the packet's length.
    public static func writeForHost(
        _ packet: UnsafeMutableRawPointer, report: Report, innerLength: Int, hopLimit: UInt8, source: IPv6Address,
        destination: IPv6Address
    ) -> Int {
        writeHeaders(
            packet, type: report.type, code: report.code, parameter: report.parameter, hopLimit: hopLimit,
            source: source, destination: destination, quoteLength: innerLength)
        return ICMPv6.overhead + innerLength
    }
}
