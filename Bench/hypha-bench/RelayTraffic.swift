import CAEAD
import HyphaBase
import HyphaWire

/// The packets that cross the relay: made by the sender, checked by the sink, both from one seed.
///
/// | off | size | full (type 4) | header (type 5) |
/// |---|---|---|---|
/// | 0 | 16 | link header | link header |
/// | 16 | 48 | routing header, sealed | routing header, sealed |
/// | 64 | 16 | body, sealed | tag |
/// | 80 | n | body, sealed | body |
/// | end | 16 | tag | |
///
/// The routing header's end-to-end counter is the packet's number. The body looks random, as sealed bodies do, and its
/// last 16 bytes differ in every packet, as tags do. Not thread-safe.
final class RelayTraffic {
    /// Bytes around the body, in both modes.
    static let overhead = LinkHeader.size + RoutingHeader.size + LinkHeader.tagSize
    /// Smallest datagram: its body is an end-to-end tag only.
    static let smallestDatagram = overhead + LinkHeader.tagSize
    /// Largest datagram: an Ethernet frame of 9000 bytes over IPv6.
    static let largestDatagram = 8_952

    let mode: SealMode
    let source: IPv6Address
    let destination: IPv6Address
    private let noise: UnsafeMutableRawPointer
    private static let noiseSize = 1 << 16
    /// Of `ad_inline`, the last field of a job.
    private static let inlineADOffset = MemoryLayout<caead_job>.size - 48

    /// `seed`: the same at both ends.
    init(mode: SealMode, source: IPv6Address, destination: IPv6Address, seed: UInt64) {
        self.mode = mode
        self.source = source
        self.destination = destination
        let size = RelayTraffic.noiseSize + RelayTraffic.largestDatagram
        noise = .allocate(byteCount: size, alignment: 64)
        var random = Seed(seed)
        for offset in stride(from: 0, to: size - 7, by: 8) {
            noise.storeBytes(of: random.next(), toByteOffset: offset, as: UInt64.self)
        }
    }

    deinit { noise.deallocate() }

    /// Where the body of packet `number` begins in the noise.
    @inline(__always)
    private func bodyNoise(_ number: UInt64) -> UnsafeRawPointer {
        UnsafeRawPointer(noise) + Int(truncatingIfNeeded: (number &* 72) & UInt64(RelayTraffic.noiseSize - 1))
    }

    /// The last 16 bytes of the body of packet `number`.
    @inline(__always)
    private func mark(_ number: UInt64) -> (UInt64, UInt64) {
        var random = Seed(number)
        return (random.next(), random.next())
    }

    /// Writes packet `number` of `size` bytes as plaintext and the job that seals it. The datagram and `job` stay where
    /// they are until it is sealed.
    @inline(__always)
    func write(
        _ datagram: UnsafeMutableRawPointer, size: Int, number: UInt64, lane: Int, index: UInt32, counter: UInt64,
        key: UnsafeRawPointer, job: UnsafeMutablePointer<caead_job>
    ) {
        LinkHeader.write(
            datagram, type: mode.datagramType, lane: UInt8(truncatingIfNeeded: lane), index: index, counter: counter)
        let routing = datagram + LinkHeader.size
        RoutingHeader.write(
            routing, kind: .data, hopLimit: RoutingHeader.defaultHopLimit, flowHash: 0x5BD1, index: 1, counter: number,
            source: source, destination: destination)
        let bodySize = size - RelayTraffic.overhead
        let body = routing + RoutingHeader.size + (mode == .header ? LinkHeader.tagSize : 0)
        body.copyMemory(from: bodyNoise(number), byteCount: bodySize - 16)
        let mark = mark(number)
        (body + bodySize - 16).storeBytes(of: mark.0, as: UInt64.self)
        (body + bodySize - 8).storeBytes(of: mark.1, as: UInt64.self)
        prepare(datagram, size: size, key: key, job: job)
    }

    /// Fills the job that seals or opens a datagram in place (docs/protocol.md, "Keys, labels and associated data").
    @inline(__always)
    private func prepare(
        _ datagram: UnsafeMutableRawPointer, size: Int, key: UnsafeRawPointer, job: UnsafeMutablePointer<caead_job>
    ) {
        let bytes = datagram.assumingMemoryBound(to: UInt8.self)
        job.pointee.key = key
        job.pointee.data = bytes + LinkHeader.size
        job.pointee.counter = LinkHeader.counter(datagram)
        switch mode {
        case .full:
            job.pointee.length = UInt32(truncatingIfNeeded: size - LinkHeader.size - LinkHeader.tagSize)
            job.pointee.tag = bytes + size - LinkHeader.tagSize
            job.pointee.ad = UnsafePointer(bytes)
            job.pointee.ad_length = UInt32(LinkHeader.size)
        case .header:
            job.pointee.length = UInt32(RoutingHeader.size)
            job.pointee.tag = bytes + LinkHeader.size + RoutingHeader.size
            let bodySize = UInt16(truncatingIfNeeded: size - RelayTraffic.overhead)
            let ad = UnsafeMutableRawPointer(job) + RelayTraffic.inlineADOffset
            ad.copyMemory(from: datagram, byteCount: LinkHeader.size)
            ad.storeBytes(of: bodySize.littleEndian, toByteOffset: LinkHeader.size, as: UInt16.self)
            (ad + LinkHeader.size + 2).copyMemory(from: datagram + size - 16, byteCount: 16)
            job.pointee.ad = UnsafePointer(ad.assumingMemoryBound(to: UInt8.self))
            job.pointee.ad_length = UInt32(LinkHeader.size + 2 + 16)
        }
    }

    /// Opens a datagram that arrived and compares it with what was sent, one hop further. Its number, or what is wrong.
    func check(
        _ datagram: UnsafeMutableRawPointer, size: Int, key: UnsafeRawPointer, context: OpaquePointer
    ) -> Result<UInt64, Mismatch> {
        guard size >= RelayTraffic.smallestDatagram,
            datagram.load(as: UInt8.self) == mode.datagramType
        else { return .failure(.kind) }
        var job = caead_job()
        let opened = withUnsafeMutablePointer(to: &job) { job in
            prepare(datagram, size: size, key: key, job: job)
            caead_open(context, job, 1)
            return job.pointee.ok == 1
        }
        guard opened else { return .failure(.seal) }
        let routing = UnsafeRawPointer(datagram) + LinkHeader.size
        let number = RoutingHeader.counter(routing)
        guard RoutingHeader.kind(routing) == .data, RoutingHeader.source(routing) == source,
            RoutingHeader.destination(routing) == destination
        else { return .failure(.routingHeader) }
        guard RoutingHeader.hopLimit(routing) == RoutingHeader.defaultHopLimit - 1 else { return .failure(.hopLimit) }
        let bodySize = size - RelayTraffic.overhead
        let body = routing + RoutingHeader.size + (mode == .header ? LinkHeader.tagSize : 0)
        let mark = mark(number)
        let tail = body + bodySize - 16
        guard memoryEqual(body, bodyNoise(number), bodySize - 16), tail.loadUnaligned(as: UInt64.self) == mark.0,
            (tail + 8).loadUnaligned(as: UInt64.self) == mark.1
        else { return .failure(.body) }
        return .success(number)
    }

    private func memoryEqual(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ count: Int) -> Bool {
        UnsafeRawBufferPointer(start: a, count: count).elementsEqual(UnsafeRawBufferPointer(start: b, count: count))
    }

    /// What a datagram behind the relay can have wrong.
    enum Mismatch: String, Error {
        case kind = "another datagram type"
        case seal = "a seal that does not open"
        case routingHeader = "another source, destination or type"
        case hopLimit = "a hop limit that did not fall by one"
        case body = "another body"
        case order = "a packet again or out of order"
    }
}
