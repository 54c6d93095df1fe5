import HyphaBase
import StockModel

/// One model with neighbours that the test plays.
struct Rig {
    var model: StockRouterModel
    var now: UInt64
    private var decoders: [Int: StockDecoder] = [:]

    init(secret: [UInt8], now: UInt64 = 1_000) {
        guard let identity = StockIdentity(secret: secret, random: [1, 2, 3, 4, 5, 6]) else {
            preconditionFailure("a secret has 32 bytes")
        }
        model = StockRouterModel(identity: identity, nonceSeed: 7, now: now)
        self.now = now
    }

    /// A router id with another last byte for every run of a node.
    static func routerID(_ key: [UInt8], run: UInt8 = 0) -> [UInt8] { key + [0, 0, 9, 9, 9, 9, 9, run] }

    static func subnet(_ key: [UInt8]) -> StockSubnet { StockSubnet(StockIdentity.address(of: key), 64) }

    /// A neighbour on a link of its own; nothing is said yet.
    mutating func attach() -> Int {
        let number = model.connect("test \(decoders.count)", isIPv4: true, now: now)
        decoders[number] = StockDecoder()
        return number
    }

    /// A neighbour that has announced its subnet.
    mutating func attach(key: [UInt8]) -> Int {
        let number = attach()
        announce(key, from: number)
        return number
    }

    mutating func announce(
        _ key: [UInt8], run: UInt8 = 0, seqno: UInt16 = 0, metric: UInt16 = 0, interval: UInt16 = 30_000,
        from number: Int
    ) {
        let frame = StockEncoder.update(
            Rig.subnet(key), routerID: Rig.routerID(key, run: run), seqno: seqno, metric: metric, interval: interval)
        write(frame, to: number)
    }

    mutating func detach(_ number: Int) { model.disconnect(number, now: now) }

    mutating func write(_ bytes: [UInt8], to number: Int) { model.receive(bytes, from: number, now: now) }

    /// What the model wrote since the last time.
    mutating func read(_ number: Int) -> [StockPacket] {
        decoders[number]?.receive(model.takeOutput(number)) ?? []
    }

    /// Lets milliseconds pass, ten at a time.
    mutating func pass(_ milliseconds: UInt64) {
        let end = now + milliseconds
        while now < end {
            now = min(now + 10, end)
            model.advance(to: now)
        }
    }

    /// The same, with every neighbour of `alive` answering each Hello.
    mutating func live(_ milliseconds: UInt64, _ alive: [Int], heard: (Rig, Int, StockPacket) -> Void = { _, _, _ in })
    {
        let end = now + milliseconds
        while now < end {
            pass(10)
            for number in alive {
                for packet in read(number) {
                    if packet == .hello { write(StockEncoder.ihu(cost: 10), to: number) }
                    heard(self, number, packet)
                }
            }
        }
    }
}
