import HyphaBase
import HyphaPacket

/// Hosts: each sends packets to all others in turn, and answers what it gets.
extension WholeNetwork {
    /// An answer has come after this, in milliseconds.
    static let answerTime: UInt64 = 2_500
    /// Behind the UDP header.
    private static let sizes = [8, 40, 200, 700, 1_150]

    mutating func hostSends(_ node: Int) {
        guard isSending else { return }
        schedule(
            .send(node: node),
            after: UInt64.random(in: scenario.sendInterval / 2...scenario.sendInterval * 3 / 2, using: &seed))
        guard nodes[node].machine != nil, !nodes[node].isDraining, nodes.count > 1 else { return }
        let to = (node + 1 + nodes[node].sent % (nodes.count - 1)) % nodes.count
        nodes[node].sent += 1
        // Now and then some at once.
        for _ in 0..<(happens(50) ? 8 : 1) { send(from: node, to: to, question: nil) }
        pump(node)
    }

    private mutating func send(from: Int, to: Int, question: Int?) {
        guard let machine = nodes[from].machine else { return }
        let size = WholeNetwork.sizes.randomElement(using: &seed) ?? 8
        let packet = HostPacket(
            number: packets.count, from: from, to: to, size: size, sentAt: now, question: question)
        packets.append(packet)
        outcome.packets += 1
        machine.io.arriveFromTun(HostPacket.read(packet.bytes(from: nodes[from].address, to: nodes[to].address)))
    }

    /// A write to the TUN of a node.
    mutating func hostReceives(_ write: [UInt8], at node: Int) {
        var write = write
        var node = node
        if isCalm, !mutantIsDone { tamper(&write, &node) }
        outcome.log(now.nanoseconds &+ UInt64(node) << 32)
        outcome.log(write)
        let packet = HostPacket.packet(write)
        if packet.count > 40, packet[packet.startIndex + 6] == 58 { return take(error: packet, at: node) }
        guard let number = HostPacket.number(packet), packets.indices.contains(number) else {
            return violation("node \(node) gets a packet of \(packet.count) bytes that nobody sent")
        }
        let sent = packets[number]
        var expected = sent.bytes(from: nodes[sent.from].address, to: nodes[sent.to].address)
        let hopLimit = packet[packet.startIndex + 7]
        expected[7] = hopLimit
        guard sent.to == node else {
            return violation("node \(node) gets packet \(number) for node \(sent.to)")
        }
        guard packet.elementsEqual(expected) else { return violation("packet \(number) has changed on its way") }
        guard !sent.isDelivered else { return violation("packet \(number) comes twice to node \(node)") }
        // The ends count a hop each.
        if isCalm, sent.sentAt >= calmSince, Int(HostPacket.hopLimit) - Int(hopLimit) > nodes.count + 1 {
            violation("packet \(number) took \(HostPacket.hopLimit - hopLimit) hops")
        }
        packets[number].isDelivered = true
        outcome.delivered += 1
        if let question = sent.question {
            packets[question].isAnswered = true
        } else {
            send(from: node, to: sent.from, question: number)
        }
    }

    /// An ICMPv6 error for the host: it has to quote one of its packets.
    private mutating func take(error: ArraySlice<UInt8>, at node: Int) {
        guard let number = HostPacket.number(error.dropFirst(48)), packets.indices.contains(number) else {
            return violation("node \(node) gets an ICMPv6 message about a packet that nobody sent")
        }
        if packets[number].from != node {
            violation("node \(node) gets an ICMPv6 message about packet \(number) of node \(packets[number].from)")
        }
    }

    private mutating func tamper(_ write: inout [UInt8], _ node: inout Int) {
        switch scenario.mutant {
        case .twice:
            mutantIsDone = true
            hostReceives(write, at: node)
        case .corrupted:
            // In the checksum, which every packet has.
            guard write.count > 57 else { return }
            mutantIsDone = true
            write[57] ^= 1
        case .misdirected:
            mutantIsDone = true
            node = (node + 1) % nodes.count
        default: break
        }
    }

    /// Since when everything arrives.
    private var calmSince: Instant { isCalm ? calmTimes.last?.from ?? .distantFuture : .distantFuture }

    /// What should have come, and how long it took until all came.
    mutating func checkDeliveries() {
        let end = now
        for packet in packets where packet.question == nil && !packet.isAnswered {
            guard end >= packet.sentAt.advanced(byMilliseconds: WholeNetwork.answerTime) else { continue }
            let isCalm = calmTimes.contains { $0.from <= packet.sentAt && packet.sentAt < $0.until }
            if isCalm, outcome.violations.count < 5 {
                let time = packet.sentAt.milliseconds(since: WholeNetwork.start)
                violation(
                    "packet \(packet.number) of node \(packet.from) to node \(packet.to), sent at \(time) ms, is "
                        + (packet.isDelivered ? "not answered" : "lost"))
            }
            if let repairedAt, packet.sentAt >= repairedAt {
                outcome.recovery = max(outcome.recovery, packet.sentAt.milliseconds(since: repairedAt))
            }
            if packet.sentAt.advanced(byMilliseconds: WholeNetwork.answerTime) < faultsAt ?? .distantFuture {
                outcome.convergence = max(
                    outcome.convergence, packet.sentAt.milliseconds(since: WholeNetwork.start))
            }
        }
    }
}
