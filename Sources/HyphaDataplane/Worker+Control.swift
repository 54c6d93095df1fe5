import HyphaBase
import HyphaInterchange
import HyphaPacket
import HyphaSession
import HyphaWire

// MARK: - Control

extension Worker {
    /// Packets that control made. At most as many as a vector holds in one turn.
    mutating func takeInjected<IO: StreamIO & ~Copyable>(_ io: inout IO) -> Bool {
        var any = false
        var left = PacketVector.capacity / 2
        while left > 0, !rejections.own.isFull, let record = injected.peek() {
            left -= 1
            any = true
            let head = record.load(as: InjectedPacket.self)
            let length = min(Int(head.length), InjectedPacket.maxPacket)
            let bytes = UnsafeRawPointer(record + InjectedPacket.headSize)
            switch head.kind {
            case .datagram: sendDatagram(bytes, length: length, head, &io)
            case .overlay:
                if let (frame, place) = makeFrame(length) {
                    place.copyMemory(from: bytes, byteCount: length)
                    rejections.own.append(frame)
                }
            case .linkControl: sendLinkMessage(head.link, bytes, length: length)
            case .streamControl:
                streams.append(control: bytes, length: length, to: head.link, context)
            }
            injected.advance()
        }
        injected.release()
        runOwnVector(&io)
        return any
    }

    /// A ready datagram as a train of one.
    mutating func sendDatagram<IO: StreamIO & ~Copyable>(
        _ bytes: UnsafeRawPointer, length: Int, _ head: InjectedPacket, _ io: inout IO
    ) {
        counters.add(.injected)
        guard let slot = pool.takeSlot() else {
            counters.drop(.noBuffer)
            return
        }
        (pool.base(slot) + Rejections.frameOffset).copyMemory(from: bytes, byteCount: length)
        departures.sendDatagram(
            slot, offset: Rejections.frameOffset, length: length, to: head.destination, socket: head.socket, &io)
    }

    mutating func takeCommands<IO: StreamIO & ~Copyable>(_ io: inout IO) -> Bool {
        var any = false
        // Some commands are answered: while control does not read its notices, the rest waits.
        while punts.hasRoomForNotice(), let record = commands.peek() {
            any = true
            let command = record.load(as: WorkerCommand.self)
            commands.advance()
            apply(command, &io)
        }
        commands.release()
        if any { runOwnVector(&io) }
        return any
    }

    mutating func apply<IO: StreamIO & ~Copyable>(_ command: WorkerCommand, _ io: inout IO) {
        if rejections.own.count > PacketVector.capacity / 2 { runOwnVector(&io) }
        switch command.operation {
        case .setLink:
            guard let link = context.links[command.id] else { return }
            if link.pointee.exists == 0 { link.initialize(to: LinkRecord()) }
            link.pointee.exists = 1
            link.pointee.endpoint = command.endpoint
            link.pointee.socket = command.socket
            link.pointee.mtu = command.value & 0xFFFF
            link.pointee.fullOnly = command.value & WorkerCommand.fullSealBit != 0 ? 1 : 0
            link.pointee.headerEntry = command.value & WorkerCommand.headerSealBit != 0 ? 1 : 0
            linkLimit = max(linkLimit, command.id + 1)
        case .removeLink:
            guard let link = context.links[command.id] else { return }
            departures.flush(context, &io)
            link.initialize(to: LinkRecord())
        case .installLinkSession: context.linkSessions.use(command.slot).pointee.installed = 1
        case .sendWithLinkSession:
            guard let link = context.links[command.id] else { return }
            link.pointee.sendSlot = command.slot
            link.pointee.liveness.renewed()
            link.pointee.liveness.roundTrip = UInt16(clamping: command.value)
        case .retireLinkSession:
            let owner = context.linkSessions.record(command.slot).pointee.owner
            if let link = context.links[owner], link.pointee.sendSlot == command.slot { link.pointee.sendSlot = .max }
            reassembly.endSession(command.slot & UInt32(context.linkSessions.capacity - 1), link: owner)
            context.linkSessions.retire(command.slot)
            punts.notice(.linkSessionRetired, id: owner, slot: command.slot)
        case .confirmLinkSession:
            sendLinkMessage(context.linkSessions.record(command.slot).pointee.owner, under: command.slot)
        case .probeLink:
            if let link = context.links[command.id], link.pointee.sendSlot != .max { askForLife(command.id) }
        case .setPeer: setPeer(command)
        case .removePeer:
            guard let peer = context.peers[command.id] else { return }
            parking.dropAll(peer, .noRoute)
            peer.initialize(to: PeerRecord(stock.negotiation))
        case .installFlowSession: context.flowSessions.use(command.slot).pointee.installed = 1
        case .sendWithFlowSession: sendWithFlowSession(command, &io)
        case .retireFlowSession: retireFlowSession(command.slot)
        case .confirmFlowSession:
            if let peer = context.peers[context.flowSessions.record(command.slot).pointee.owner] {
                sendFlowKeepalive(peer, under: command.slot)
            }
        case .rejectParked:
            guard let peer = context.peers[command.id] else { return }
            settle(peer.pointee.decide(.handshakeFailed, now: context.now), peer, command.id, &io)
        case .routeResolved: routeResolved(command.endpoint.address.high, &io)
        case .routeFailed: routeFailed(command.endpoint.address.high)
        case .setStockPrefix: stock.renewNonces(prefix: command.endpoint.address.high)
        case .openStream: openStream(to: command.endpoint, dial: command.id, &io)
        case .answerHellos: streams.answerHellos(of: command.id, command.value)
        case .closeStream: closeStream(command.id, reset: command.value == 1, &io)
        case .drain:
            isDraining = true
            reassembly.dropAll(.shutdown)
            for id in 0..<peerLimit {
                if let peer = context.peers[id] { parking.dropAll(peer, .shutdown) }
            }
            routes.dropAll(.shutdown)
            dropPauses()
            stock.waiting.dropAll(.shutdown)
        }
    }
}
