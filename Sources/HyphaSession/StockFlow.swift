public import CAEAD
public import HyphaBase
public import HyphaWire

/// Sealing and opening of stock bodies in place, as descriptions of AEAD calls, so that whole vectors go through one call.
///
/// A worker describes its packets, calls `caead_seal` or `caead_open`, and looks at each job's `ok`. Jobs carry the first
/// bytes of their nonces in `nonce_head`; `release` a job before it serves for packets of another kind.
public enum StockFlow {
    /// Describes sealing. The content of `contentLength` bytes stands at `payload` + 4; user header, tag and nonce, 32
    /// bytes in all, are written around it. `mark` says that this node is native.
    @inline(__always)
    public static func describeSeal(
        _ job: UnsafeMutablePointer<caead_job>, payload: UnsafeMutableRawPointer, contentLength: Int,
        kind: StockUserHeader.Kind, mark: NativeMark?, nonce: StockNonce, key: UnsafeRawPointer
    ) {
        let sealed = StockUserHeader.size &+ contentLength
        StockUserHeader.write(payload, kind: kind, mark: mark)
        nonce.store(to: payload + (sealed &+ StockPayload.tagSize))
        describe(job, payload, sealed: sealed, nonce: nonce, key: key)
    }

    /// Describes opening of a payload of `length` bytes; says why not when it is dropped unopened.
    @inline(__always)
    public static func describeOpen(
        _ job: UnsafeMutablePointer<caead_job>, payload: UnsafeMutableRawPointer, length: Int, key: UnsafeRawPointer,
        own prefixes: StockPrefixes
    ) -> StockRefusal? {
        guard let sealed = StockPayload.sealedLength(length) else { return .tooShort }
        let nonce = StockNonce(loading: payload + (sealed &+ StockPayload.tagSize))
        guard !prefixes.contains(nonce.prefix) else { return .reflected }
        describe(job, payload, sealed: sealed, nonce: nonce, key: key)
        return nil
    }

    /// The nonce of a payload of at least 32 bytes.
    @inline(__always)
    public static func nonce(_ payload: UnsafeRawPointer, length: Int) -> StockNonce {
        StockNonce(loading: payload + (length &- StockPayload.nonceSize))
    }

    /// Gives a job back to those whose nonces are counters alone.
    @inline(__always)
    public static func release(_ job: UnsafeMutablePointer<caead_job>) { job.pointee.nonce_head = 0 }

    /// Checks an opened payload of `length` bytes that came from `source` to `destination`, and sets the inner hop limit to
    /// `hopLimit`, the outer one after this node's step. The mark is the sender's.
    ///
    /// Inner addresses must be the outer ones: nobody may speak for others, however valid the key is.
    public static func unwrap(
        _ payload: UnsafeMutableRawPointer, length: Int, source: IPv6Address, destination: IPv6Address, hopLimit: UInt8
    ) -> (body: StockBody, mark: NativeMark?) {
        guard let sealed = StockPayload.sealedLength(length) else { return (.refused(.tooShort), nil) }
        guard let (kind, mark) = StockUserHeader.parse(payload) else { return (.refused(.unknownKind), nil) }
        let offset = StockUserHeader.size
        let content = payload + offset
        let size = sealed - offset
        switch kind {
        case .ipv6:
            guard IPv6Header.isWellFormed(content, length: size) else { return (.refused(.badPacket), mark) }
            guard IPv6Header.source(content) == source, IPv6Header.destination(content) == destination else {
                return (.refused(.foreignAddress), mark)
            }
            content.storeBytes(of: hopLimit, toByteOffset: 7, as: UInt8.self)
            return (.packet(offset: offset, length: size), mark)
        case .message: return (.message(offset: offset, length: size), mark)
        case .icmp:
            guard let report = StockICMP.parse(content, length: size), report.quoteLength > 0 else {
                return (.refused(.badReport), mark)
            }
            let quote = content + StockICMP.headerSize
            guard !NativePayload.isNative(quote, length: report.quoteLength) else {
                return (.nativeReport(report, offset: offset), mark)
            }
            return (.report(report, offset: offset), mark)
        }
    }

    // MARK: out-of-band ICMP

    /// Describes opening of the quote in the content of `report`, with the key shared with `report.target`. The quote is a
    /// body of our own, so its nonce is ours by design.
    public static func describeQuote(
        _ job: UnsafeMutablePointer<caead_job>, content: UnsafeMutableRawPointer, report: StockICMP.Report,
        key: UnsafeRawPointer
    ) -> StockRefusal? {
        let quote = content + StockICMP.headerSize
        guard let sealed = StockPayload.sealedLength(report.quoteLength) else { return .badReport }
        let nonce = StockNonce(loading: quote + (sealed + StockPayload.tagSize))
        describe(job, quote, sealed: sealed, nonce: nonce, key: key)
        return nil
    }

    /// Turns content whose quote opened into the ICMPv6 packet for the host. It came from `source` to `destination`, this
    /// node; `hopLimit` is the outer one after this node's step. The quoted packet must be one that `destination` sent to
    /// the report's target. `packet` offsets count from the first byte of the content.
    public static func unwrapQuote(
        _ content: UnsafeMutableRawPointer, report: StockICMP.Report, source: IPv6Address, destination: IPv6Address,
        hopLimit: UInt8
    ) -> StockBody {
        let quote = content + StockICMP.headerSize
        guard let sealed = StockPayload.sealedLength(report.quoteLength),
            let (kind, _) = StockUserHeader.parse(quote), kind == .ipv6
        else { return .refused(.badReport) }
        let offset = StockICMP.headerSize + StockUserHeader.size
        let inner = content + offset
        let length = sealed - StockUserHeader.size
        guard IPv6Header.isWellFormed(inner, length: length) else { return .refused(.badPacket) }
        guard IPv6Header.source(inner) == destination, IPv6Header.destination(inner) == report.target else {
            return .refused(.foreignAddress)
        }
        let start = offset - ICMPv6.overhead
        let total = StockICMP.writeForHost(
            content + start, report: report, innerLength: length, hopLimit: hopLimit, source: source,
            destination: destination)
        return .packet(offset: start, length: total)
    }

    // MARK: inside

    @inline(__always)
    private static func describe(
        _ job: UnsafeMutablePointer<caead_job>, _ payload: UnsafeMutableRawPointer, sealed: Int, nonce: StockNonce,
        key: UnsafeRawPointer
    ) {
        job.pointee.key = key
        job.pointee.data = payload.assumingMemoryBound(to: UInt8.self)
        job.pointee.tag = (payload + sealed).assumingMemoryBound(to: UInt8.self)
        job.pointee.length = UInt32(truncatingIfNeeded: sealed)
        job.pointee.ad_length = 0
        job.pointee.nonce_head = UInt32(truncatingIfNeeded: nonce.prefix)
        job.pointee.counter = nonce.prefix &>> 32 | UInt64(nonce.counter) &<< 32
    }
}
