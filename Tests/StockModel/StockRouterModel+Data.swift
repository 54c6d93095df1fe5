import HyphaBase

/// Packets: from the host, from peers, for others and for this node.
extension StockRouterModel {
    /// Largest packet of the TUN.
    public static let mtu = 1_400
    /// Largest sealed payload that an error quotes.
    static let quotedPayload = 1_232

    // MARK: - From the host

    /// A packet that came out of the TUN.
    public mutating func send(_ packet: [UInt8], now: UInt64) {
        counters.fromHost += 1
        if aborted == nil { seal(packet, now: now) }
    }

    private mutating func seal(_ packet: [UInt8], now: UInt64) {
        guard packet.count >= 40, packet[0] >> 4 == 6 else { return drop(.notIPv6) }
        let (source, destination) = (IPv6Address(in: packet, at: 8), IPv6Address(in: packet, at: 24))
        guard packet.count <= StockRouterModel.mtu else { return drop(.aboveMTU) }
        guard !identity.subnet.contains(destination) else {
            drop(.ownSubnet)
            return localError(1, 3, to: source, quoting: packet)
        }
        guard StockSubnet.isOverlay(source) else {
            drop(.foreignSource)
            return localError(1, 5, to: source, quoting: packet)
        }
        guard packet[7] >= 2 else {
            drop(.hopLimit)
            return localError(3, 0, about: packet)
        }
        let subnet = longestMatch(destination)
        if let subnet, let entry = table[subnet], entry.selected != nil, let cipher = entry.cipher {
            let payload = cipher.seal([1, 0, 0, 0] + packet, nonce: nonce())
            let datagram = StockDatagram(
                hopLimit: packet[7], source: source, destination: destination, payload: payload)
            return forward(datagram, from: nil, now: now)
        }
        if let subnet, let entry = table[subnet], !entry.isQueried {
            // Routes without a selected one: it waits, and those who announced the subnet are asked for something newer.
            let announcers = entry.routes.map(\.neighbour)
            if let route = entry.routes.first {
                let source = StockSource(subnet: subnet, routerID: route.routerID)
                requestSeqno(source, of: announcers, pause: true, now: now)
            }
        } else if subnet == nil {
            query(.around(destination), now: now)
        }
        if !outbound.add(.own(packet), for: .around(destination)) {
            drop(.queueFull)
            localError(1, 0, about: packet)
        }
    }

    // MARK: - Forwarding

    /// The steps of every packet. `number` is the link that it came from, nil for one of this node.
    mutating func forward(_ datagram: StockDatagram, from number: Int?, now: UInt64) {
        var datagram = datagram
        guard datagram.hopLimit >= 2 else {
            drop(.hopLimit)
            return relayError(3, 0, about: datagram, from: number, now: now)
        }
        datagram.hopLimit -= 1
        if identity.subnet.contains(datagram.destination) { return open(datagram, now: now) }
        let subnet = longestMatch(datagram.destination)
        guard let subnet, let entry = table[subnet], !entry.isQueried else {
            if subnet == nil { query(.around(datagram.destination), now: now) }
            if !outbound.add(.relayed(datagram), for: .around(datagram.destination)) {
                drop(.queueFull)
                relayError(1, 0, about: datagram, from: number, now: now)
            }
            return
        }
        guard let route = entry.selected else {
            drop(.noRoute)
            return relayError(1, 0, about: datagram, from: number, now: now)
        }
        if number != nil { counters.forwarded += 1 }
        write(datagram, to: route.neighbour)
        // Traffic asks for a route again that is about to end.
        if route.expiry < now + StockRouterModel.queryTime { query(.around(datagram.destination), now: now) }
    }

    private mutating func write(_ datagram: StockDatagram, to number: Int) {
        guard links[number]?.isBroken == false else { return drop(.linkGone) }
        counters.dataSent += 1
        links[number]?.append(datagram)
    }

    /// A route was found: what waited for it goes on.
    mutating func flush(_ subnet: StockSubnet, now: UInt64) {
        let whole = StockSubnet.around(subnet.address)
        for packet in outbound.take(whole) {
            switch packet {
            case .own(let packet): seal(packet, now: now)
            case .relayed(var datagram):
                // It was decremented when it came.
                datagram.hopLimit += 1
                forward(datagram, from: nil, now: now)
                counters.forwarded += 1
            }
        }
        for datagram in inbound.take(whole) { open(datagram, now: now) }
    }

    /// No route was found: the host hears of it, others do not.
    mutating func failOutbound(_ subnet: StockSubnet, now: UInt64) {
        for packet in outbound.take(.around(subnet.address)) {
            drop(.queryFailed)
            if case .own(let packet) = packet { localError(1, 0, about: packet) }
        }
    }

    // MARK: - For this node

    /// Opens a packet for this node; its hop limit is decremented.
    private mutating func open(_ datagram: StockDatagram, now: UInt64) {
        guard datagram.payload.count >= 32 else { return drop(.payloadShort) }
        guard !identity.subnet.contains(datagram.source) else { return drop(.ownSource) }
        guard let cipher = cipher(of: datagram.source) else {
            let subnet = StockSubnet.around(datagram.source)
            if !inbound.add(datagram, for: subnet) { drop(.queueFull) }
            return query(subnet, now: now)
        }
        guard let plaintext = cipher.open(datagram.payload) else {
            oddities.note(.dataSealed, "\(datagram.source) to \(datagram.destination)")
            return drop(.notAuthentic)
        }
        let header = plaintext.prefix(4)
        if header[0] != 1 || header[1] > 2 || header[2] != 0 || header[3] != 0 { oddities.note(.userHeader, header) }
        guard header[0] == 1 else { return drop(.userVersion) }
        switch header[1] {
        case 0: deliver(Array(plaintext.dropFirst(4)), datagram)
        case 1: drop(.message)
        case 2: openError(Array(plaintext.dropFirst(4)), datagram)
        default: drop(.userType)
        }
    }

    /// The key shared with the node that an address belongs to, when there is any route to it.
    private func cipher(of address: IPv6Address) -> StockCipher? { longestMatch(address).flatMap { table[$0]?.cipher } }

    private mutating func deliver(_ content: [UInt8], _ datagram: StockDatagram) {
        guard content.count >= 40 else { return drop(.contentShort) }
        if IPv6Address(in: content, at: 8) != datagram.source
            || IPv6Address(in: content, at: 24) != datagram.destination
        {
            oddities.note(.innerAddress, content.prefix(40))
        }
        var packet = content
        packet[7] = datagram.hopLimit
        toHost(packet)
    }

    private mutating func toHost(_ packet: [UInt8]) {
        guard hasTun else { return drop(.noTun) }
        counters.toHost += 1
        hostPackets.append(packet)
    }

    /// Counts what a well-behaved neighbour does not send.
    mutating func check(_ source: IPv6Address, _ destination: IPv6Address, _ size: Int) {
        if !StockSubnet.isOverlay(source) || !StockSubnet.isOverlay(destination) || identity.subnet.contains(source) {
            oddities.note(.dataAddress, "\(source) to \(destination)")
        }
        if size < 32 { oddities.note(.dataShort, "\(size) bytes, \(source) to \(destination)") }
        if size > StockRouterModel.mtu + 4 + StockCipher.overhead {
            oddities.note(.dataLarge, "\(size) bytes, \(source) to \(destination)")
        }
    }

    // MARK: - Errors

    /// The network address, which errors on the wire come from.
    private var networkAddress: IPv6Address { identity.subnet.address }

    /// An error for another node, sealed for it: what failed is quoted as it was sealed, or not at all when it is large.
    private mutating func relayError(
        _ type: UInt8, _ code: UInt8, about datagram: StockDatagram, from number: Int?, now: UInt64
    ) {
        guard number != nil, !identity.subnet.contains(datagram.source) else { return }
        guard let cipher = cipher(of: datagram.source) else {
            drop(.errorWithoutKey)
            return query(.around(datagram.source), now: now)
        }
        let quoted = datagram.payload.count <= StockRouterModel.quotedPayload ? datagram.payload : []
        let error = StockErrorPacket.make(
            type: type, code: code, source: networkAddress, destination: datagram.source, hopLimit: 64, quoting: quoted)
        counters.errorsSent += 1
        let payload = cipher.seal([1, 2, 0, 0] + datagram.destination.bytes + error, nonce: nonce())
        forward(
            StockDatagram(
                hopLimit: 64, source: networkAddress, destination: datagram.source, payload: payload),
            from: nil, now: now)
    }

    /// An error from another node: with the key shared with the target of the failed packet the host gets a quote that it
    /// understands.
    private mutating func openError(_ content: [UInt8], _ datagram: StockDatagram) {
        guard (64...1_296).contains(content.count),
            let inner = cipher(of: IPv6Address(in: content, at: 0))?.open(Array(content[64...])), inner.count >= 4
        else { return drop(.errorUnusable) }
        counters.errorsOpened += 1
        toHost(
            StockErrorPacket.make(
                type: content[56], code: content[57], source: datagram.source, destination: datagram.destination,
                hopLimit: datagram.hopLimit, rest: Array(content[60..<64]), quoting: inner.dropFirst(4)))
    }

    /// For the host, from the node's address.
    private mutating func localError(_ type: UInt8, _ code: UInt8, to: IPv6Address, quoting packet: [UInt8]) {
        counters.errorsLocal += 1
        toHost(
            StockErrorPacket.make(
                type: type, code: code, source: identity.address, destination: to, hopLimit: 64,
                quoting: packet.prefix(1_232)))
    }

    /// For the host, from and to the packet's own source; the quote is the buffer of the TUN, zeros behind the packet
    /// included.
    private mutating func localError(_ type: UInt8, _ code: UInt8, about packet: [UInt8]) {
        let source = IPv6Address(in: packet, at: 8)
        let buffer = (packet + repeatElement(0, count: StockRouterModel.mtu - packet.count)).prefix(1_232)
        counters.errorsLocal += 1
        toHost(
            StockErrorPacket.make(
                type: type, code: code, source: source, destination: source, hopLimit: packet[7], quoting: buffer))
    }
}
