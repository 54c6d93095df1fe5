import HyphaBase
import HyphaWire

/// The stock frames that cross the relay: made by the sender, checked by the sink, both from one seed.
///
/// | off | size | content |
/// |---|---|---|
/// | 0 | 40 | header of a data frame (`StockData`) |
/// | 40 | 8 | number of the frame |
/// | 48 | n | noise, as sealed bodies look; where it begins depends on the place |
///
/// Frames lie ready side by side in a ring of places; only their number changes from one use to the next. Neighbouring
/// frames belong to different flows: the low bits of both addresses are the flow's. Not thread-safe.
final class StockTraffic {
    /// Payload sizes that may be asked for.
    static let payloads = 32...StockData.maxPayload
    static let flows: UInt64 = 16
    /// Bytes handed to the kernel in one call, and of the whole ring, about.
    private static let batchBytes = 128 << 10
    private static let ringBytes = 1 << 20
    private static let numberOffset = StockData.headerSize
    /// What a stock node makes of an inner 64 before the first link.
    private static let hopLimit: UInt8 = 63

    let payload: Int
    /// Bytes of a frame.
    let size: Int
    /// Frames of one batch, and of the ring.
    let batch: Int
    let places: Int
    /// What the relay takes off the hop limit.
    private let steps: UInt8
    private let frames: UnsafeMutableRawPointer

    /// `source`, `destination`: the /64s of sender and sink. `seed`: the same at both ends.
    init(payload: Int, source: Prefix, destination: Prefix, steps: UInt8, seed: UInt64) {
        self.payload = payload
        self.steps = steps
        let size = StockData.headerSize + payload
        self.size = size
        batch = max(1, StockTraffic.batchBytes / size)
        places = batch * max(1, StockTraffic.ringBytes / (batch * size))
        frames = .allocate(byteCount: places * size, alignment: 4_096)
        var random = Seed(seed)
        for place in 0..<places {
            let frame = frames + place * size
            let flow = UInt64(place) % StockTraffic.flows
            StockData.write(
                frame, payloadLength: UInt16(payload), hopLimit: StockTraffic.hopLimit,
                source: IPv6Address(high: source.address.high, low: 0x100 + flow),
                destination: IPv6Address(high: destination.address.high, low: 0x200 + flow))
            var offset = StockTraffic.numberOffset
            while offset < size {
                let noise = random.next()
                for i in 0..<min(8, size - offset) {
                    frame.storeBytes(
                        of: UInt8(truncatingIfNeeded: noise >> (8 * UInt64(i))), toByteOffset: offset + i,
                        as: UInt8.self)
                }
                offset += 8
            }
        }
    }

    deinit { frames.deallocate() }

    /// The frames of batch `index`, `batch` of them, numbered. Valid until the next call.
    func numbered(batch index: UInt64) -> UnsafeRawPointer {
        let first = index &* UInt64(batch)
        let start = frames + Int(first % UInt64(places)) * size
        for i in 0..<batch {
            (start + (i &* size &+ StockTraffic.numberOffset))
                .storeBytes(of: first &+ UInt64(i), as: UInt64.self)
        }
        return UnsafeRawPointer(start)
    }

    /// Compares a frame that arrived with what was sent, one hop further. Its number, or what is wrong.
    func check(_ frame: UnsafeRawBufferPointer) -> Result<UInt64, Mismatch> {
        guard frame.count == size, let bytes = frame.baseAddress else { return .failure(.size) }
        let number = bytes.loadUnaligned(fromByteOffset: StockTraffic.numberOffset, as: UInt64.self)
        let sent = UnsafeRawPointer(frames + Int(number % UInt64(places)) * size)
        guard StockData.source(bytes) == StockData.source(sent),
            StockData.destination(bytes) == StockData.destination(sent)
        else { return .failure(.addresses) }
        guard StockData.hopLimit(bytes) == StockTraffic.hopLimit - steps else { return .failure(.hopLimit) }
        let body = StockTraffic.numberOffset + 8
        guard
            UnsafeRawBufferPointer(rebasing: frame[body...])
                .elementsEqual(UnsafeRawBufferPointer(start: sent + body, count: size - body))
        else { return .failure(.payload) }
        return .success(number)
    }

    /// What a frame behind the relay can have wrong.
    enum Mismatch: String, Error {
        case size = "another size"
        case addresses = "another source or destination"
        case hopLimit = "another hop limit"
        case payload = "another payload"
        case order = "a frame again or out of order"
    }
}
