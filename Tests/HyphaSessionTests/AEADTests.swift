import CAEAD
import CAllocHook
import CSodium
import HyphaBase
import Testing

/// The packet ciphers of every library against known answers, against libsodium and against damage. Serialised: the
/// choice of a library is process-wide.
@Suite(.serialized)
final class AEADTests {
    typealias Sealed = (text: [UInt8], tag: [UInt8])

    static let suites: [Int32] = [1, 2]
    static let providers: [Int32] = [1, 2, 3]
    static let combinations: [(suite: Int32, provider: Int32)] = suites.flatMap { suite in
        providers.filter { caead_available(suite, $0) != 0 }.map { (suite, $0) }
    }
    static let raw = [UInt8](0..<32)

    let context: OpaquePointer
    private var keys: [UnsafeMutableRawPointer] = []
    private var random = SystemRandomNumberGenerator()

    init() throws {
        context = try #require(caead_context_create())
    }

    deinit {
        for key in keys {
            caead_key_wipe(key)
            key.deallocate()
        }
        caead_context_destroy(context)
        for suite in Self.suites { _ = caead_select(suite, Int32(CAEAD_PROVIDER_AUTO)) }
    }

    // MARK: known answers

    @Test(arguments: combinations) func selfTest(suite: Int32, provider: Int32) {
        #expect(caead_self_test(suite, provider) == 1)
    }

    // RFC 8439 appendix A.5: the example of the RFC whose nonce begins with four zero bytes, as ours do.
    @Test(arguments: combinations.filter { $0.suite == 1 }) func answerOfRFC8439(suite: Int32, provider: Int32) throws {
        let raw = try #require(Hex.decode("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0"))
        let ad = try #require(Hex.decode("f33388860000000000004e91"))
        let text = Array(
            """
            Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, or \
            obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as reference \
            material or to cite them other than as /\u{201c}work in progress./\u{201d}
            """.utf8)
        let expected = """
            64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0bdb7b73c\
            321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c8559797a06ef4f0ef61\
            c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0\
            a06c523eaf4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a0bb2316053fa76991955ebd63159434e\
            cebb4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29a6ad5cb4\
            022b02709b
            """
        let key = makeKey(suite, provider, raw)
        let sealed = seal(key, counter: 0x0807_0605_0403_0201, ad: ad, text)
        #expect(Hex.encode(sealed.tag) == "eead9d67890cbb22392336fea1851f38")
        #expect(Hex.encode(sealed.text) == expected)
        #expect(open(key, counter: 0x0807_0605_0403_0201, ad: ad, sealed) == text)
    }

    // McGrew and Viega, The Galois/Counter Mode of Operation, test cases 13 and 14: the ones with a zero nonce.
    @Test(arguments: combinations.filter { $0.suite == 2 }) func answersOfGCM(suite: Int32, provider: Int32) {
        let key = makeKey(suite, provider, [UInt8](repeating: 0, count: 32))
        let empty = seal(key, counter: 0, ad: [], [])
        #expect(Hex.encode(empty.tag) == "530f8afbc74536b9a963b4f1c4cb738b")
        let block = seal(key, counter: 0, ad: [], [UInt8](repeating: 0, count: 16))
        #expect(Hex.encode(block.text) == "cea7403d4d606b6e074ec5d3baf39d18")
        #expect(Hex.encode(block.tag) == "d0d1c8a799996bf0265b98b5d48ab919")
        #expect(open(key, counter: 0, ad: [], block) == [UInt8](repeating: 0, count: 16))
        #expect(open(key, counter: 0, ad: [], empty) == [])
    }

    // MARK: against libsodium

    @Test(arguments: combinations) func equalsLibsodium(suite: Int32, provider: Int32) {
        let key = makeKey(suite, provider, Self.raw)
        let lengths = Array(0...300) + [511, 512, 513, 1024, 1279, 1280, 1399, 1400, 1424, 4095, 4096, 8900, 9000]
        for length in lengths {
            for size in [0, 16, 34, 48] {
                let text = bytes(length)
                let ad = bytes(size)
                let counter = UInt64.random(in: 0...UInt64.max, using: &random)
                let sealed = seal(key, counter: counter, ad: ad, text)
                if let reference = reference(suite, Self.raw, counter: counter, ad: ad, text) {
                    #expect(sealed == reference, "length \(length), associated data \(size)")
                }
                #expect(open(key, counter: counter, ad: ad, sealed) == text)
            }
        }
    }

    // Nonces whose first four bytes are not zero, in one call with others whose are.
    @Test(arguments: combinations) func explicitNoncesEqualLibsodium(suite: Int32, provider: Int32) {
        let key = makeKey(suite, provider, Self.raw)
        for round in 0..<200 {
            let text = bytes(Int.random(in: 0...1500, using: &random))
            let head = round % 3 == 0 ? 0 : UInt32.random(in: 0...UInt32.max, using: &random)
            let counter = UInt64.random(in: 0...UInt64.max, using: &random)
            let sealed = seal(key, counter: counter, head: head, ad: [], text)
            if let reference = reference(suite, Self.raw, counter: counter, head: head, ad: [], text) {
                #expect(sealed == reference)
            }
            #expect(open(key, counter: counter, head: head, ad: [], sealed) == text)
            #expect(open(key, counter: counter, head: head ^ 1 << UInt32(round % 32), ad: [], sealed) == nil)
        }
    }

    // MARK: vectors

    @Test func mixedKeysSuitesAndProviders() throws {
        let other = try #require(caead_context_create())
        defer { caead_context_destroy(other) }
        var made: [(suite: Int32, raw: [UInt8], key: UnsafeMutableRawPointer)] = []
        for (suite, provider) in Self.combinations {
            for _ in 0..<20 {
                let raw = bytes(32)
                made.append((suite, raw, makeKey(suite, provider, raw)))
            }
        }
        // More jobs than any grouping inside, in runs of one to five of a kind.
        let texts = (0..<300).map { _ in bytes(Int.random(in: 0...200, using: &random)) }
        let ads = (0..<300).map { _ in bytes(Int.random(in: 0...48, using: &random)) }
        var choice: [Int] = []
        while choice.count < 300 {
            let next = Int.random(in: 0..<made.count, using: &random)
            choice += [Int](repeating: next, count: Int.random(in: 1...5, using: &random))
        }
        let room = 256
        let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: 300 * room)
        defer { memory.deallocate() }
        var jobs = (0..<300).map { i in
            var job = caead_job()
            job.key = UnsafeRawPointer(made[choice[i]].key)
            job.data = memory + i * room
            for (at, byte) in texts[i].enumerated() { job.data[at] = byte }
            job.length = UInt32(texts[i].count)
            job.tag = job.data + texts[i].count
            job.ad_length = UInt32(ads[i].count)
            job.counter = UInt64(i) << 33 | 7
            withUnsafeMutableBytes(of: &job.ad_inline) { $0.copyBytes(from: ads[i]) }
            return job
        }
        jobs.withUnsafeMutableBufferPointer { jobs in
            for i in jobs.indices { pointAtInlineData(&jobs[i]) }
            caead_seal(context, jobs.baseAddress, jobs.count)
        }
        for i in 0..<300 {
            let text = Array(UnsafeBufferPointer(start: jobs[i].data, count: texts[i].count))
            let tag = Array(UnsafeBufferPointer(start: jobs[i].tag, count: 16))
            let key = made[choice[i]]
            #expect(jobs[i].ok == 1)
            if let reference = reference(key.suite, key.raw, counter: jobs[i].counter, ad: ads[i], texts[i]) {
                #expect((text, tag) == reference)
            }
        }
        // Every seventh is damaged; the others stay whole. Another context opens them.
        for i in stride(from: 0, to: 300, by: 7) { jobs[i].tag[i % 16] ^= 1 << UInt8(i % 8) }
        jobs.withUnsafeMutableBufferPointer { jobs in
            for i in jobs.indices { pointAtInlineData(&jobs[i]) }
            caead_open(other, jobs.baseAddress, jobs.count)
        }
        for i in 0..<300 {
            #expect(jobs[i].ok == (i % 7 == 0 ? 0 : 1))
            if i % 7 != 0 {
                #expect(Array(UnsafeBufferPointer(start: jobs[i].data, count: texts[i].count)) == texts[i])
            }
        }
    }

    // A packet inside a packet, as end-to-end data travels inside a link's frame.
    @Test(arguments: combinations) func jobsRunInOrder(suite: Int32, provider: Int32) {
        let inner = makeKey(suite, provider, bytes(32))
        let outer = makeKey(suite, provider, bytes(32))
        let text = bytes(100)
        let once = seal(inner, counter: 1, ad: [], text)
        let twice = seal(outer, counter: 2, ad: [], once.text + once.tag)
        var frame = text + [UInt8](repeating: 0, count: 32)
        frame.withUnsafeMutableBufferPointer { frame in
            var jobs = [caead_job(), caead_job()]
            for i in 0...1 {
                jobs[i].key = UnsafeRawPointer(i == 0 ? inner : outer)
                jobs[i].data = frame.baseAddress
                jobs[i].length = UInt32(100 + 16 * i)
                jobs[i].tag = frame.baseAddress! + 100 + 16 * i
                jobs[i].counter = UInt64(1 + i)
            }
            caead_seal(context, &jobs, 2)
            #expect(Array(frame) == twice.text + twice.tag)
            jobs.swapAt(0, 1)
            caead_open(context, &jobs, 2)
            #expect(jobs.map(\.ok) == [1, 1])
            #expect(Array(frame.prefix(100)) == text)
        }
    }

    @Test(arguments: combinations) func touchesOnlyDataAndTag(suite: Int32, provider: Int32) {
        let key = makeKey(suite, provider, Self.raw)
        for length in Array(0...130) + [1400] {
            var memory = [UInt8](repeating: 0xa5, count: 64 + length + 16 + 64)
            memory.withUnsafeMutableBufferPointer { memory in
                var job = caead_job()
                job.key = UnsafeRawPointer(key)
                job.data = memory.baseAddress! + 64
                job.length = UInt32(length)
                job.tag = memory.baseAddress! + 64 + length
                caead_seal(context, &job, 1)
                caead_open(context, &job, 1)
                #expect(job.ok == 1)
            }
            #expect(memory.prefix(64 + length).allSatisfy { $0 == 0xa5 }, "length \(length)")
            #expect(memory.suffix(64).allSatisfy { $0 == 0xa5 }, "length \(length)")
        }
    }

    @Test(arguments: combinations) func emptyPacketNeedsNoPointers(suite: Int32, provider: Int32) {
        let key = makeKey(suite, provider, Self.raw)
        var tag = [UInt8](repeating: 0, count: 16)
        tag.withUnsafeMutableBufferPointer { tag in
            var job = caead_job()
            job.key = UnsafeRawPointer(key)
            job.tag = tag.baseAddress
            caead_seal(context, &job, 1)
            #expect(job.ok == 1)
            if let reference = reference(suite, Self.raw, counter: 0, ad: [], []) {
                #expect(Array(tag) == reference.tag)
            }
            job.ok = 0
            caead_open(context, &job, 1)
            #expect(job.ok == 1)
        }
        caead_seal(context, nil, 0)
        caead_open(context, nil, 0)
    }

    // MARK: damage

    @Test(arguments: combinations) func everyFlippedBitIsSeen(suite: Int32, provider: Int32) {
        let key = makeKey(suite, provider, Self.raw)
        for length in [0, 1, 15, 16, 17, 48, 65, 300] {
            let text = bytes(length)
            let ad = bytes(34)
            let sealed = seal(key, counter: 5, ad: ad, text)
            for bit in 0..<length * 8 {
                #expect(open(key, counter: 5, ad: ad, (flip(sealed.text, bit), sealed.tag)) == nil)
            }
            for bit in 0..<128 {
                #expect(open(key, counter: 5, ad: ad, (sealed.text, flip(sealed.tag, bit))) == nil)
            }
            for bit in 0..<34 * 8 {
                #expect(open(key, counter: 5, ad: flip(ad, bit), sealed) == nil)
            }
            for bit in 0..<64 {
                #expect(open(key, counter: 5 ^ 1 << UInt64(bit), ad: ad, sealed) == nil)
            }
            #expect(open(key, counter: 5, ad: ad.dropLast(), sealed) == nil)
            #expect(open(key, counter: 5, ad: ad + [0], sealed) == nil)
            #expect(open(makeKey(suite, provider, flip(Self.raw, length % 256)), counter: 5, ad: ad, sealed) == nil)
            #expect(open(key, counter: 5, ad: ad, sealed) == text)
        }
    }

    // MARK: keys and choice

    @Test(arguments: combinations) func wipedKeyIsZeroAndUseless(suite: Int32, provider: Int32) {
        let key = makeKey(suite, provider, Self.raw)
        let sealed = seal(key, counter: 1, ad: [1], [1, 2, 3])
        #expect(sealed.tag != [UInt8](repeating: 0, count: 16))
        caead_key_wipe(key)
        #expect(isZero(key))
        let refused = seal(key, counter: 1, ad: [1], [1, 2, 3], ok: 0)
        #expect(refused == ([0, 0, 0], [UInt8](repeating: 0, count: 16)))
        #expect(open(key, counter: 1, ad: [1], sealed) == nil)
        // The same memory serves another key.
        #expect(caead_select(suite, provider) == 0)
        caead_key_init(context, key, suite, flip(Self.raw, 0))
        #expect(open(key, counter: 1, ad: [1], sealed) == nil)
        caead_key_init(context, key, suite, Self.raw)
        #expect(open(key, counter: 1, ad: [1], sealed) == [1, 2, 3])
    }

    @Test func keyOfUnknownSuiteIsZero() {
        let key = makeKey(1, caead_provider(1), Self.raw)
        for suite in [Int32.min, -1, 0, 3, Int32.max] {
            caead_key_init(context, key, suite, Self.raw)
            #expect(isZero(key))
        }
    }

    // libcrypto keeps the keys it used last: more keys than it keeps, and some wiped between.
    @Test(arguments: combinations) func manyKeysInTurn(suite: Int32, provider: Int32) {
        let raws = (0..<100).map { _ in bytes(32) }
        let made = raws.map { makeKey(suite, provider, $0) }
        let text = bytes(40)
        for round in 0..<4 {
            for i in raws.indices where round == 0 || i % (round + 1) != 0 {
                let sealed = seal(made[i], counter: 9, ad: [], text)
                if let reference = reference(suite, raws[i], counter: 9, ad: [], text) {
                    #expect(sealed == reference)
                }
                #expect(open(made[i], counter: 9, ad: [], sealed) == text)
            }
            for i in raws.indices where i % (round + 2) == 0 { caead_key_wipe(made[i]) }
            for i in raws.indices where i % (round + 2) == 0 && round < 3 {
                #expect(caead_select(suite, provider) == 0)
                caead_key_init(context, made[i], suite, raws[i])
            }
        }
    }

    @Test func choiceHoldsForKeysMadeLater() {
        for suite in Self.suites {
            let available = Self.combinations.filter { $0.suite == suite }.map(\.provider)
            let text = bytes(77)
            var sealed: [Sealed] = []
            let made = available.map { makeKey(suite, $0, Self.raw) }
            for provider in available {
                #expect(caead_select(suite, provider) == 0)
                #expect(caead_provider(suite) == provider)
                sealed += made.map { seal($0, counter: 3, ad: [], text) }
            }
            #expect(sealed.allSatisfy { $0 == sealed[0] })
            let last = caead_provider(suite)
            for provider in [-1, 4, Int32.max] + Self.providers where !available.contains(provider) {
                #expect(caead_select(suite, provider) == -1)
                #expect(caead_available(suite, provider) == 0)
                #expect(caead_self_test(suite, provider) == 0)
                #expect(caead_measure(suite, provider, 64) == 0)
                #expect(caead_provider(suite) == last)
            }
            #expect(caead_select(suite, Int32(CAEAD_PROVIDER_AUTO)) == 0)
            #expect(available.contains(caead_provider(suite)))
        }
        #expect(caead_select(0, 2) == -1)
        #expect(caead_select(3, 0) == -1)
        #expect(caead_provider(3) == 0)
        let names = [-1, 0, 1, 2, 3, 4].map { String(cString: caead_provider_name($0)) }
        #expect(names == ["unknown", "auto", "ipsec-mb", "libcrypto", "libsodium", "unknown"])
    }

    @Test(arguments: combinations) func measuresWhatItHas(suite: Int32, provider: Int32) {
        #expect(caead_measure(suite, provider, 0) > 0)
        #expect(caead_measure(suite, provider, 65536) > 0)
        #expect(caead_measure(suite, provider, 65537) == 0)
    }

    @Test func everyMachineHasBothSuites() {
        for suite in Self.suites { #expect(caead_available(suite, Int32(CAEAD_PROVIDER_LIBCRYPTO)) == 1) }
        #expect(caead_available(1, Int32(CAEAD_PROVIDER_LIBSODIUM)) == 1)
        for provider in [Int32(CAEAD_PROVIDER_IPSEC_MB), Int32(CAEAD_PROVIDER_LIBSODIUM)] {
            #expect(caead_available(2, provider) == 0 || caead_aes_is_constant_time() == 1)
        }
    }

    // MARK: allocation

    @Test(.enabled(if: chy_alloc_hook_active() != 0), arguments: combinations)
    func packetsAllocateNothing(suite: Int32, provider: Int32) {
        let first = makeKey(suite, provider, Self.raw)
        let second = makeKey(suite, provider, bytes(32))
        let third = makeKey(suite, provider, bytes(32))
        let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: 4 * 2048)
        defer { memory.deallocate() }
        memory.initialize(repeating: 1, count: 4 * 2048)
        let jobs = UnsafeMutablePointer<caead_job>.allocate(capacity: 4)
        defer { jobs.deallocate() }
        for i in 0..<4 {
            jobs[i] = caead_job()
            jobs[i].key = UnsafeRawPointer(i % 2 == 0 ? first : second)
            jobs[i].data = memory + i * 2048
            jobs[i].tag = memory + i * 2048 + 2000
            jobs[i].ad = UnsafePointer(memory + i * 2048 + 2020)
            jobs[i].ad_length = 16
            jobs[i].length = i == 0 ? 0 : 1400
        }
        // The counter sees what libcrypto allocates: a context has 64 of its ciphers.
        let control = chy_alloc_hook_count()
        caead_context_destroy(caead_context_create())
        #expect(chy_alloc_hook_count() > control + 64)
        var wrong = 0
        let before = chy_alloc_hook_count()
        for round in 0..<200 {
            caead_seal(context, jobs, 4)
            jobs[3].tag[0] ^= round % 2 == 0 ? 1 : 0  // forged packets allocate nothing either
            caead_open(context, jobs, 4)
            wrong += jobs[0].ok == 1 && jobs[3].ok == UInt32(round % 2) ? 0 : 1
            caead_key_wipe(third)
            caead_key_init(context, third, suite, Self.raw)
            jobs[2].key = UnsafeRawPointer(third)
        }
        #expect(chy_alloc_hook_count() == before)
        #expect(wrong == 0)
    }

    // MARK: what the tests stand on

    private func makeKey(_ suite: Int32, _ provider: Int32, _ raw: [UInt8]) -> UnsafeMutableRawPointer {
        let key = UnsafeMutableRawPointer.allocate(byteCount: Int(CAEAD_KEY_SIZE), alignment: 64)
        keys.append(key)
        #expect(caead_select(suite, provider) == 0)
        caead_key_init(context, key, suite, raw)
        return key
    }

    private func seal(
        _ key: UnsafeMutableRawPointer, counter: UInt64, head: UInt32 = 0, ad: [UInt8], _ text: [UInt8],
        ok: UInt32 = 1
    ) -> Sealed {
        var sealed: Sealed = (text, [UInt8](repeating: 0xee, count: 16))
        #expect(run(key, counter, head, ad, &sealed, caead_seal) == ok)
        return sealed
    }

    private func open(
        _ key: UnsafeMutableRawPointer, counter: UInt64, head: UInt32 = 0, ad: [UInt8], _ sealed: Sealed
    ) -> [UInt8]? {
        var opened = sealed
        let ok = run(key, counter, head, ad, &opened, caead_open)
        #expect(opened.tag == sealed.tag)
        return ok == 1 ? opened.text : nil
    }

    private func run(
        _ key: UnsafeMutableRawPointer, _ counter: UInt64, _ head: UInt32, _ ad: [UInt8], _ packet: inout Sealed,
        _ operation: (OpaquePointer?, UnsafeMutablePointer<caead_job>?, Int) -> Void
    ) -> UInt32 {
        var job = caead_job()
        job.key = UnsafeRawPointer(key)
        job.counter = counter
        job.nonce_head = head
        job.length = UInt32(packet.text.count)
        job.ad_length = UInt32(ad.count)
        job.ok = 7
        packet.text.withUnsafeMutableBufferPointer { text in
            packet.tag.withUnsafeMutableBufferPointer { tag in
                ad.withUnsafeBufferPointer { ad in
                    job.data = text.baseAddress
                    job.tag = tag.baseAddress
                    job.ad = ad.baseAddress
                    operation(context, &job, 1)
                }
            }
        }
        return job.ok
    }

    /// What libsodium makes of it; nil where it has no AES-256-GCM.
    private func reference(
        _ suite: Int32, _ raw: [UInt8], counter: UInt64, head: UInt32 = 0, ad: [UInt8], _ text: [UInt8]
    ) -> Sealed? {
        let first = (0..<4).map { UInt8(truncatingIfNeeded: head >> (8 * $0)) }
        let nonce = first + (0..<8).map { UInt8(truncatingIfNeeded: counter >> (8 * $0)) }
        var sealed: Sealed = (text, [UInt8](repeating: 0, count: 16))
        if suite == 1 {
            crypto_aead_chacha20poly1305_ietf_encrypt_detached(
                &sealed.text, &sealed.tag, nil, text, UInt64(text.count), ad, UInt64(ad.count), nil, nonce, raw)
        } else {
            guard crypto_aead_aes256gcm_is_available() != 0 else { return nil }
            crypto_aead_aes256gcm_encrypt_detached(
                &sealed.text, &sealed.tag, nil, text, UInt64(text.count), ad, UInt64(ad.count), nil, nonce, raw)
        }
        return sealed
    }

    private func pointAtInlineData(_ job: inout caead_job) {
        withUnsafeMutableBytes(of: &job.ad_inline) {
            job.ad = UnsafePointer($0.baseAddress!.assumingMemoryBound(to: UInt8.self))
        }
    }

    private func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    private func flip(_ bytes: [UInt8], _ bit: Int) -> [UInt8] {
        var bytes = bytes
        bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        return bytes
    }

    private func isZero(_ key: UnsafeMutableRawPointer) -> Bool {
        (0..<Int(CAEAD_KEY_SIZE)).allSatisfy { key.load(fromByteOffset: $0, as: UInt8.self) == 0 }
    }
}
