import HyphaBase
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire

// MARK: - Answers to stock bodies

extension Rejections {
    /// Tells the source of a stock body why it did not pass, in an out-of-band ICMP sealed for the source. `packet` is a
    /// stock frame (`SealMode.stock`), or a type 4 packet that ends here: of that one bytes 24 to 63 are written over.
    ///
    /// No answer goes out about packets of this node, to sources whose key is not known, and where only native sessions
    /// are allowed. Whether the packet is itself an error no relay can see: the rate limits hold.
    mutating func stockError(
        _ message: ICMPv6.Message, about packet: Descriptor, _ stock: inout StockEnds,
        _ context: borrowing StageContext, _ punts: inout PuntRings
    ) {
        let payloadLength = Int(packet.length) - StockFrameSize.framing
        guard stock.policy != .require, !own.isFull, payloadLength >= 0 else { return }
        let bytes = pool.base(packet.buffer) + Int(packet.offset)
        let frame = bytes + Int(Descriptor.stockLead)
        if packet.mode != .stock {
            let header = bytes + LinkHeader.size
            guard NativePayload.writeStockFrame(frame, from: header, bodyLength: payloadLength) else { return }
        }
        let source = StockData.source(frame)
        guard source.high != context.ownAddress.high, allows(source, context.now) else { return }
        guard let id = stock.peer(of: source, context), let peer = context.peers[id] else {
            if context.asksForRoutes { stock.questions.ask(source.high, now: context.now, &punts) }
            return
        }
        guard case .slot(let key) = stock.key(for: peer, context), let slot = pool.takeSlot() else { return }
        let start = pool.base(slot) + Rejections.frameOffset
        let payload = start + StockFrameSize.payloadOffset
        let relay = IPv6Address(high: context.ownAddress.high, low: 0)
        let length = Rejections.writeReport(
            message, about: UnsafeRawBufferPointer(start: frame, count: StockData.headerSize + payloadLength),
            relay: relay, to: payload + StockUserHeader.size, spare: pool.base(slot) + Rejections.spareOffset)
        guard length > 0 else {
            pool.release(slot)
            return
        }
        StockUserHeader.write(payload, kind: .icmp, mark: stock.mark)
        RoutingHeader.write(
            start + LinkHeader.size, kind: .stock, hopLimit: StockData.defaultHopLimit,
            flowHash: 0, source: relay, destination: source)
        var answer = Descriptor(
            buffer: slot, offset: UInt32(Rejections.frameOffset),
            length: UInt32(truncatingIfNeeded: StockFrameSize.overhead + length), mode: .full)
        answer.flow = Descriptor.stockFlow | key
        own.append(answer)
        counters.add(.injected)
        counters.add(.errorsSent)
    }

    /// Where a slot with the largest report has room left.
    private static let spareOffset = 1_600

    /// The content of the report. A native payload that is too long to be quoted is quoted by its first 20 bytes: they say
    /// which packet it was, and nobody decrypts it.
    private static func writeReport(
        _ message: ICMPv6.Message, about frame: UnsafeRawBufferPointer, relay: IPv6Address,
        to out: UnsafeMutableRawPointer, spare: UnsafeMutableRawPointer
    ) -> Int {
        guard let base = frame.baseAddress else { return 0 }
        let payload = base + StockData.headerSize
        let length = frame.count - StockData.headerSize
        guard length > StockICMP.maxQuote, NativePayload.isNative(payload, length: length) else {
            return StockICMP.write(message, about: frame, relay: relay, to: out)
        }
        spare.copyMemory(from: base, byteCount: NativePayload.frameHeaderSize)
        StockData.write(
            spare, payloadLength: UInt16(NativePayload.headerSize), hopLimit: StockData.hopLimit(base),
            source: StockData.source(base), destination: StockData.destination(base))
        return StockICMP.write(
            message, about: UnsafeRawBufferPointer(start: spare, count: NativePayload.frameHeaderSize), relay: relay,
            to: out)
    }
}
