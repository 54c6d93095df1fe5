import HyphaBase
import HyphaPacket

/// Datagrams between nodes.
extension WholeNetwork {
    /// A path of 1,500 bytes: the largest UDP payload over IPv6.
    private static let largestDatagram = 1_472
    /// Beyond its delay a path takes up to so much, in milliseconds.
    private static let ownJitter: UInt64 = 3

    /// What a turn of a worker sent, wrote to the TUN and to its connections.
    mutating func takeOutput(_ node: Int, _ machine: WholeMachine) {
        if !machine.io.sent.isEmpty || !machine.io.delivered.isEmpty {
            let sent = machine.io.sent
            let delivered = machine.io.delivered
            machine.io.clearOutput()
            for train in sent { send(train, from: node) }
            for write in delivered { hostReceives(write, at: node) }
        }
        takeStreams(node, machine)
    }

    private mutating func send(_ train: MemoryIO.SentTrain, from node: Int) {
        outcome.log(now.nanoseconds &+ UInt64(node))
        outcome.log(train.bytes)
        let size = train.bytes.count > train.segmentSize ? train.segmentSize : train.bytes.count
        if size > WholeNetwork.largestDatagram { violation("node \(node) sends a datagram of \(size) bytes") }
        guard let to = WholeNode.number(at: train.destination), let link = linksBetween[pair(node, to)],
            nodes.indices.contains(to), !links[link].isStream, !links[link].isCut
        else { return }
        let path = links[link]
        if scenario.mutant == .blackHole, isRecovered, link == 0, size > 200 { return }
        outcome.messages += 1
        // What may not get lost on its own stays together, as segments that the kernel puts together again.
        if path.loss == 0, path.duplication == 0, path.jitter == 0 {
            schedule(
                .datagrams(train.bytes, segmentSize: train.segmentSize, link: link, to: to),
                after: path.delay + UInt64.random(in: 0...WholeNetwork.ownJitter, using: &seed))
            return
        }
        for datagram in train.datagrams {
            guard !happens(path.loss) else { continue }
            for _ in 0..<(happens(path.duplication) ? 2 : 1) {
                let delay = path.delay + UInt64.random(in: 0...WholeNetwork.ownJitter + path.jitter, using: &seed)
                schedule(.datagrams(datagram, segmentSize: 0, link: link, to: to), after: delay)
            }
        }
    }

    mutating func arrive(_ bytes: [UInt8], _ segmentSize: Int, _ link: Int, at node: Int) {
        guard let machine = nodes[node].machine, !links[link].isCut else { return }
        machine.io.arrive(
            bytes, segmentSize: segmentSize < bytes.count ? segmentSize : 0,
            from: nodes[links[link].other(than: node)].endpoint)
        pump(node)
    }

    mutating func happens(_ perMille: UInt64) -> Bool {
        perMille > 0 && UInt64.random(in: 0..<1_000, using: &seed) < perMille
    }
}
