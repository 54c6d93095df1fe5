import CAEAD
import CSodium
import HyphaBase
import HyphaSession
import HyphaWire
import Testing

/// A key, prefixes and memory for one payload at a time.
final class StockBench {
    let context: OpaquePointer
    let key: UnsafeMutableRawPointer
    let prefixes = StockPrefixes()
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 70_000, alignment: 16)
    let job = UnsafeMutablePointer<caead_job>.allocate(capacity: 1)

    init(key raw: [UInt8]) throws {
        context = try #require(caead_context_create())
        key = .allocate(byteCount: Int(CAEAD_KEY_SIZE), alignment: 64)
        caead_key_init(context, key, 2, raw)
        job.initialize(to: caead_job())
    }

    deinit {
        caead_key_wipe(key)
        key.deallocate()
        prefixes.deallocate()
        memory.deallocate()
        job.deallocate()
        caead_context_destroy(context)
    }

    func load(_ bytes: [UInt8]) {
        for (i, byte) in bytes.enumerated() { memory.storeBytes(of: byte, toByteOffset: i, as: UInt8.self) }
    }

    func bytes(_ count: Int, at offset: Int = 0) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: memory + offset, count: count))
    }

    /// The payload around a content.
    func seal(
        _ content: [UInt8], kind: StockUserHeader.Kind, mark: NativeMark? = nil, nonce: StockNonce
    ) -> [UInt8] {
        load([0, 0, 0, 0] + content)
        StockFlow.describeSeal(
            job, payload: memory, contentLength: content.count, kind: kind, mark: mark, nonce: nonce, key: key)
        caead_seal(context, job, 1)
        #expect(job.pointee.ok == 1)
        return bytes(content.count + StockPayload.overhead)
    }

    /// Opens a payload in place: nil when it opened.
    func open(_ payload: [UInt8]) -> StockRefusal? {
        load(payload)
        if let why = StockFlow.describeOpen(job, payload: memory, length: payload.count, key: key, own: prefixes) {
            return why
        }
        caead_open(context, job, 1)
        return job.pointee.ok == 1 ? nil : .notAuthentic
    }

    /// Opens and checks what came in a data frame, whose hop limit has not been stepped yet.
    func receive(_ frame: [UInt8]) throws -> StockBody {
        if let why = open(Array(frame[40...])) { return .refused(why) }
        let source = try #require(IPv6Address(bytes: frame[8..<24]))
        let destination = try #require(IPv6Address(bytes: frame[24..<40]))
        let hopLimit = try #require(StockData.stepped(frame[7]))
        return StockFlow.unwrap(
            memory, length: frame.count - 40, source: source, destination: destination, hopLimit: hopLimit
        ).body
    }
}

extension StockNonce {
    init(_ bytes: [UInt8]) { self = bytes.withUnsafeBytes { StockNonce(loading: $0.baseAddress!) } }
}

/// X25519 of a secret and a public key.
func sharedSecret(_ secret: [UInt8], _ publicKey: [UInt8]) -> [UInt8] {
    var out = [UInt8](repeating: 0, count: 32)
    #expect(crypto_scalarmult(&out, secret, publicKey) == 0)
    return out
}
