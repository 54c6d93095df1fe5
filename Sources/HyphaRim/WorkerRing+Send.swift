internal import CUring
internal import Glibc
internal import HyphaBase
internal import HyphaPacket

extension WorkerRing {
    /// RWF_NOWAIT: a TUN that is down refuses at once instead of holding the write.
    static var noWait: Int32 { 8 }

    mutating func transmit(_ train: borrowing Train) -> Bool {
        guard train.packetCount > 0 else { return true }
        guard isRunning else { return false }
        let socket = Int(train.socket)
        // Datagrams that cannot leave through this socket end here: nothing would become of trying again.
        let isIPv4 = train.destination.isIPv4
        guard socket < sourceCount, isIPv4 || !sources[socket].isIPv4 else {
            refuse(train, EAFNOSUPPORT)
            return true
        }
        if train.packetCount > Int(segmentLimit) { return transmitInParts(train, socket) }
        let slot = slots.take()
        guard slot >= 0 else { return false }
        guard let request = uring.request() else {
            slots.giveBack(slot)
            return false
        }
        slots.fill(slot, train, socket: Int32(truncatingIfNeeded: socket), pool: pool)
        slots.setDestination(slot, train.destination, ipv4: sources[socket].isIPv4)
        send(slot, by: request)
        inFlight &+= train.packetCount
        return true
    }

    mutating func deliver(_ train: borrowing Train) -> Bool {
        guard isRunning, tun.descriptor >= 0, !tun.isLost else { return false }
        guard train.packetCount > 0 else { return true }
        let slot = slots.take()
        guard slot >= 0 else { return false }
        guard let request = uring.request() else {
            slots.giveBack(slot)
            return false
        }
        slots.fill(slot, train, socket: SendSlots.tun, pool: pool)
        let count = UInt32(truncatingIfNeeded: slots.records[Int(slot)].vectorCount)
        io_uring_prep_writev(request, tun.descriptor, slots.vectors(slot), count, .max)
        request.pointee.rw_flags = WorkerRing.noWait
        request.pointee.user_data = Kind.send << 56 | UInt64(UInt32(bitPattern: slot))
        inFlight &+= train.packetCount
        return true
    }

    /// Fills in the request that sends a slot.
    @inline(__always)
    private func send(_ slot: Int32, by request: UnsafeMutablePointer<io_uring_sqe>) {
        slots.finishHeader(slot)
        let socket = Int(slots.records[Int(slot)].socket)
        io_uring_prep_sendmsg(request, sources[socket].descriptor, slots.header(slot), 0)
        request.pointee.user_data = Kind.send << 56 | UInt64(UInt32(bitPattern: slot))
    }

    @inline(never)
    private mutating func refuse(_ train: borrowing Train, _ code: Int32) {
        lastSendError = code
        counters.drop(.sendFailed, train.packetCount)
        for i in 0..<min(train.pieceCount, Train.maxPieces) { pool.release(train.pieces[i].buffer) }
    }

    // MARK: Trains longer than the kernel takes

    @inline(never)
    private mutating func transmitInParts(_ train: borrowing Train, _ socket: Int) -> Bool {
        // The train's own slot and one for each part.
        let count = (train.packetCount &+ Int(segmentLimit) &- 1) / Int(segmentLimit)
        guard slots.freeCount > count, uring.makeRoom(count) else { return false }
        let slot = slots.take()
        slots.fill(slot, train, socket: Int32(truncatingIfNeeded: socket), pool: pool)
        slots.setDestination(slot, train.destination, ipv4: sources[socket].isIPv4)
        inFlight &+= train.packetCount
        if !sendParts(of: slot, limit: segmentLimit, isTrial: false) { fail(slot, EINVAL) }
        return true
    }

    /// Sends a filled slot as parts of at most `limit` datagrams; they refer to it, and it ends with the last of them.
    /// False when there is no room, or when the record is no train: nothing was queued.
    private mutating func sendParts(of parent: Int32, limit: Int32, isTrial: Bool) -> Bool {
        let record = slots.records[Int(parent)]
        let segmentSize = Int(record.segmentSize)
        guard segmentSize > 0, record.length > 0 else { return false }
        let partLength = segmentSize &* Int(limit)
        let count = (Int(record.length) &+ partLength &- 1) / partLength
        guard count <= Train.maxPackets, slots.freeCount >= count, uring.makeRoom(count) else { return false }
        let from = slots.vectors(parent)
        var vector = 0
        var used = 0
        var left = Int(record.length)
        var packetsLeft = record.packets
        slots.records[Int(parent)].parts = Int32(count)
        for _ in 0..<count {
            let part = slots.take()
            let to = slots.vectors(part)
            let length = min(left, partLength)
            var missing = length
            var vectorCount: Int32 = 0
            while missing > 0 {
                let room = from[vector].iov_len &- used
                let taken = min(room, missing)
                to[Int(vectorCount)] = iovec(iov_base: from[vector].iov_base + used, iov_len: taken)
                vectorCount &+= 1
                missing &-= taken
                used &+= taken
                if taken == room {
                    vector &+= 1
                    used = 0
                }
            }
            left &-= length
            let packets = left == 0 ? packetsLeft : min(packetsLeft, limit)
            packetsLeft &-= packets
            slots.records[Int(part)] = SendRecord(
                packets: packets, length: Int32(length), segmentSize: record.segmentSize, vectorCount: vectorCount,
                parent: parent, socket: record.socket, isTrial: isTrial)
            slots.copyDestination(from: parent, to: part)
            if let request = uring.request() { send(part, by: request) }
        }
        return true
    }

    // MARK: Taking back

    /// A send or TUN write is done.
    @inline(__always)
    mutating func finishSend(_ slot: Int32, _ result: Int32) {
        guard slot >= 0, Int(slot) < slots.capacity else { return }
        let record = slots.records + Int(slot)
        guard result == record.pointee.length else {
            finishRefused(slot, result)
            return
        }
        if record.pointee.socket >= 0 {
            counters.add(.sent, Int(record.pointee.packets))
            counters.add(.sentBytes, Int(result))
            counters.add(.trainsSent)
        } else {
            counters.add(.delivered, Int(record.pointee.packets))
            counters.add(.deliveredBytes, Int(result) &- WorkerRing.virtioHeader)
            counters.add(.tunWrites)
        }
        if record.pointee.isTrial { noteTrial() }
        end(slot)
    }

    /// Parts of 64 go where the whole train was refused: the kernel's limit is 64 (UDP_MAX_SEGMENTS before Linux 6.9).
    @inline(never)
    private mutating func noteTrial() {
        guard segmentLimit > 64 else { return }
        segmentLimit = 64
        changes.record(.segmentLimit)
    }

    /// Frees a slot and its references; the last part frees its parent.
    @inline(__always)
    private mutating func end(_ slot: Int32) {
        let record = slots.records[Int(slot)]
        inFlight &-= Int(record.packets)
        slots.releaseBuffers(slot, pool: pool)
        slots.giveBack(slot)
        if record.parent >= 0 { endPart(of: record.parent) }
    }

    /// One part less. The parent's packets were counted by its parts.
    @inline(never)
    private mutating func endPart(of parent: Int32) {
        var slot = parent
        while slot >= 0 {
            slots.records[Int(slot)].parts &-= 1
            guard slots.records[Int(slot)].parts == 0 else { return }
            slots.releaseBuffers(slot, pool: pool)
            slots.giveBack(slot)
            slot = slots.records[Int(slot)].parent
        }
    }

    @inline(never)
    private mutating func finishRefused(_ slot: Int32, _ result: Int32) {
        let record = slots.records[Int(slot)]
        let isTrain = record.socket >= 0 && record.packets > 1 && isRunning
        if isTrain && result == -EIO {
            // The outgoing device cannot compute checksums, so it cannot cut trains.
            if segmentLimit > 1 {
                segmentLimit = 1
                changes.record(.segmentationRefused)
            }
            if sendParts(of: slot, limit: 1, isTrial: false) { return }
        }
        if isTrain && result == -EINVAL && record.packets > 64 && sendParts(of: slot, limit: 64, isTrial: true) {
            return
        }
        fail(slot, result < 0 ? -result : EMSGSIZE)
    }

    /// Counts a slot's packets as dropped and frees it.
    private mutating func fail(_ slot: Int32, _ code: Int32) {
        let record = slots.records[Int(slot)]
        if isRunning {
            lastSendError = code
            counters.drop(record.socket >= 0 ? .sendFailed : .tunFailed, Int(record.packets))
        } else {
            counters.drop(.shutdown, Int(record.packets))
        }
        end(slot)
    }
}
