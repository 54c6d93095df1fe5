internal import CAEAD

/// Packet ciphers: the cost of sealing and opening a packet through CAEAD, for every library that is there.
enum CryptoBench {
    /// One figure: the median of five interleaved samples.
    struct Row: Sendable {
        /// `chacha20-poly1305` or `aes-256-gcm`.
        var suite: String
        /// `ipsec-mb`, `libcrypto` or `libsodium`.
        var provider: String
        /// `seal` or `open`.
        var operation: String
        /// Bytes of a packet without its tag.
        var size: Int
        /// Per packet.
        var nanoseconds: Double
        /// Gigabits of packet data per second.
        var gbps: Double
    }

    private struct Case {
        var suite: Int32
        var provider: Int32
        var opens: Bool
        var size: Int
        var samples: [Double] = []
    }

    private static let samples = 5
    private static let batch = 64

    /// Every suite, provider, operation and size. A batch is 64 packets in buffers of their own under one key, without
    /// associated data, handed over in one call; only that call is timed. `seconds` is spent on each figure.
    static func run(sizes: [Int], seconds: Double) -> [Row] {
        guard let context = caead_context_create() else { return [] }
        defer { caead_context_destroy(context) }
        let chosen = [caead_provider(1), caead_provider(2)]
        defer { for (index, provider) in chosen.enumerated() { _ = caead_select(Int32(index + 1), provider) } }

        var cases: [Case] = []
        for size in sizes {
            for suite in [Int32(CAEAD_SUITE_CHACHA20_POLY1305), Int32(CAEAD_SUITE_AES_256_GCM)] {
                for provider in Int32(1)...3 where caead_available(suite, provider) != 0 {
                    cases.append(Case(suite: suite, provider: provider, opens: false, size: size))
                    cases.append(Case(suite: suite, provider: provider, opens: true, size: size))
                }
            }
        }
        for _ in 0..<samples {
            for index in cases.indices {
                let sample = measure(cases[index], context: context, seconds: seconds / Double(samples))
                cases[index].samples.append(sample)
            }
        }
        return cases.map { entry in
            let nanoseconds = entry.samples.sorted()[samples / 2]
            return Row(
                suite: entry.suite == Int32(CAEAD_SUITE_AES_256_GCM) ? "aes-256-gcm" : "chacha20-poly1305",
                provider: String(cString: caead_provider_name(entry.provider)),
                operation: entry.opens ? "open" : "seal",
                size: entry.size,
                nanoseconds: nanoseconds,
                gbps: Double(entry.size) * 8 / nanoseconds)
        }
    }

    /// Nanoseconds per packet.
    private static func measure(_ entry: Case, context: OpaquePointer, seconds: Double) -> Double {
        let stride = (entry.size + 16 + 63) / 64 * 64
        let key = UnsafeMutableRawPointer.allocate(byteCount: Int(CAEAD_KEY_SIZE), alignment: 64)
        let packets = UnsafeMutableRawPointer.allocate(byteCount: batch * stride, alignment: 64)
        let sealed = UnsafeMutableRawPointer.allocate(byteCount: batch * stride, alignment: 64)
        let jobs = UnsafeMutablePointer<caead_job>.allocate(capacity: batch)
        defer {
            key.deallocate()
            packets.deallocate()
            sealed.deallocate()
            jobs.deallocate()
        }
        packets.initializeMemory(as: UInt8.self, repeating: 7, count: batch * stride)
        guard caead_select(entry.suite, entry.provider) == 0 else { return .nan }
        caead_key_init(context, key, entry.suite, [UInt8](repeating: 9, count: 32))
        for index in 0..<batch {
            var job = caead_job()
            job.key = UnsafeRawPointer(key)
            job.data = (packets + index * stride).assumingMemoryBound(to: UInt8.self)
            job.tag = job.data + entry.size
            job.length = UInt32(entry.size)
            job.counter = UInt64(index)
            (jobs + index).initialize(to: job)
        }
        caead_seal(context, jobs, batch)
        sealed.copyMemory(from: packets, byteCount: batch * stride)

        let clock = ContinuousClock()
        let limit = Duration.seconds(seconds)
        var spent = Duration.zero
        var batches = 0
        while spent < limit || batches == 0 {
            // What was opened is plaintext now.
            if entry.opens { packets.copyMemory(from: sealed, byteCount: batch * stride) }
            let start = clock.now
            if entry.opens {
                caead_open(context, jobs, batch)
            } else {
                caead_seal(context, jobs, batch)
            }
            spent += clock.now - start
            batches += 1
        }
        guard (0..<batch).allSatisfy({ jobs[$0].ok == 1 }) else { return .nan }
        let (whole, fraction) = spent.components
        return (Double(whole) * 1e9 + Double(fraction) / 1e9) / Double(batches * batch)
    }
}
