internal import CUring
internal import Glibc
internal import HyphaBase
internal import HyphaPacket

extension WorkerRing {
    @inline(__always)
    func socketNumber(_ completion: UnsafeMutablePointer<io_uring_cqe>) -> Int {
        Int(truncatingIfNeeded: completion.pointee.user_data & 0xFF)
    }

    @inline(__always)
    func slotNumber(_ completion: UnsafeMutablePointer<io_uring_cqe>) -> Int32 {
        Int32(truncatingIfNeeded: completion.pointee.user_data)
    }

    mutating func receive(into arrivals: UnsafeMutableBufferPointer<Arrival>) -> Int {
        guard isRunning else { return 0 }
        prepare()
        if uring.ready == 0 {
            guard uring.pending || uring.hasDeferredWork else { return 0 }
            uring.submitAndReap()
        }
        var taken = 0
        var read: UInt32 = 0
        let ready = uring.ready
        while read < ready {
            let completion = uring.completion(read)
            switch completion.pointee.user_data >> 56 {
            case Kind.udp:
                guard taken < arrivals.count else {
                    uring.advance(read)
                    return taken
                }
                if finishReceive(completion, into: &arrivals[taken]) { taken &+= 1 }
            case Kind.tun:
                guard taken < arrivals.count else {
                    uring.advance(read)
                    return taken
                }
                if finishRead(completion, into: &arrivals[taken]) { taken &+= 1 }
            case Kind.send:
                finishSend(slotNumber(completion), completion.pointee.res)
            case Kind.wake:
                isWakeArmed = false
            default:
                guard taken &+ self.arrivals(in: completion) <= arrivals.count else {
                    uring.advance(read)
                    return taken
                }
                let rest = UnsafeMutableBufferPointer(rebasing: arrivals[taken...])
                taken &+= finishStream(completion, into: rest)
            }
            read &+= 1
        }
        uring.advance(ready)
        return taken
    }

    /// A UDP receive; true when `arrival` was filled.
    @inline(__always)
    private mutating func finishReceive(
        _ completion: UnsafeMutablePointer<io_uring_cqe>, into arrival: inout Arrival
    ) -> Bool {
        let flags = completion.pointee.flags
        let result = completion.pointee.res
        let socket = socketNumber(completion)
        if flags & UInt32(IORING_CQE_F_MORE) == 0 { sources[socket].isArmed = false }
        guard flags & UInt32(IORING_CQE_F_BUFFER) != 0 else {
            noteReceiveFailure(socket, result)
            return false
        }
        let slab = flags >> 16
        udpGroup.takeBack(slab)
        guard result >= Int32(WorkerRing.receiveHeader) else {
            pool.release(slab)
            noteReceiveFailure(socket, result)
            return false
        }
        sources[socket].failures = 0
        let header = UnsafeRawPointer(pool.base(slab) + udpGroup.start)
        let length = Int(result) &- WorkerRing.receiveHeader
        udpGroup.note(length: length)
        arrival.source = .udp
        arrival.socket = UInt8(truncatingIfNeeded: socket)
        arrival.buffer = slab
        arrival.offset = UInt32(PacketPool.slabHeadroom)
        arrival.length = UInt32(truncatingIfNeeded: length)
        arrival.sender = WorkerRing.sender(header + 16)
        arrival.segmentSize = WorkerRing.segmentSize(header, length: length)
        return true
    }

    /// The sender from a `sockaddr_in6` or `sockaddr_in` at `name`, of which `nameSize` bytes are ours.
    @inline(__always)
    static func sender(_ name: UnsafeRawPointer) -> SocketAddress {
        let port = UInt16(bigEndian: name.load(fromByteOffset: 2, as: UInt16.self))
        if name.load(as: UInt16.self) == UInt16(AF_INET6) {
            let address = IPv6Address(loading: name + 8)
            // fe80::/10: only there does the interface belong to the address.
            let scope = address.high &>> 54 == 0x3FA ? name.load(fromByteOffset: 24, as: UInt32.self) : 0
            return SocketAddress(address: address, port: port, scope: scope)
        }
        let v4 = UInt32(bigEndian: name.load(fromByteOffset: 4, as: UInt32.self))
        return SocketAddress(address: .mapped(ipv4: v4), port: port)
    }

    /// The UDP_GRO control message: bytes of every datagram but the last, 0 for a single datagram.
    ///
    /// | off | size | field of a control message |
    /// |---|---|---|
    /// | 0 | 8 | length, from here to the end of the value |
    /// | 8 | 4 | level |
    /// | 12 | 4 | type |
    /// | 16 | 4 | value |
    @inline(__always)
    static func segmentSize(_ header: UnsafeRawPointer, length: Int) -> UInt16 {
        let end = min(Int(header.load(fromByteOffset: 4, as: UInt32.self)), controlSize)
        let control = header + 16 + nameSize
        var offset = 0
        while offset &+ 20 <= end {
            let size = (control + offset).load(as: Int.self)
            if (control + offset).load(fromByteOffset: 8, as: Int32.self) == Int32(IPPROTO_UDP),
                (control + offset).load(fromByteOffset: 12, as: Int32.self) == udpGRO
            {
                let segment = Int((control + offset).load(fromByteOffset: 16, as: Int32.self))
                return segment > 0 && segment < length ? UInt16(truncatingIfNeeded: segment) : 0
            }
            guard size >= 16, size <= controlSize else { return 0 }
            offset &+= (size &+ 7) & ~7
        }
        return 0
    }

    static var udpGRO: Int32 { 104 }

    /// A receive without data. An empty ring of buffers is no failure: it is asked again when slabs are back.
    @inline(never)
    private mutating func noteReceiveFailure(_ socket: Int, _ result: Int32) {
        guard result < 0, result != -ENOBUFS, result != -EINTR, result != -EAGAIN else { return }
        sources[socket].failures &+= 1
        if sources[socket].failures >= WorkerRing.maxFailures {
            sources[socket].isLost = true
            changes.record(.socketLost)
        }
    }

    /// A TUN read; true when `arrival` was filled.
    @inline(__always)
    private mutating func finishRead(
        _ completion: UnsafeMutablePointer<io_uring_cqe>, into arrival: inout Arrival
    ) -> Bool {
        let flags = completion.pointee.flags
        let result = completion.pointee.res
        if flags & UInt32(IORING_CQE_F_MORE) == 0 { tun.isArmed = false }
        guard flags & UInt32(IORING_CQE_F_BUFFER) != 0 else {
            noteReadFailure(result)
            return false
        }
        let slab = flags >> 16
        tunGroup.takeBack(slab)
        guard result > Int32(WorkerRing.virtioHeader) else {
            pool.release(slab)
            noteReadFailure(result)
            return false
        }
        tun.failures = 0
        tunGroup.note(length: Int(result))
        arrival = Arrival(
            source: .tun, buffer: slab, offset: UInt32(PacketPool.slabHeadroom - WorkerRing.virtioHeader),
            length: UInt32(truncatingIfNeeded: result))
        return true
    }

    @inline(never)
    private mutating func noteReadFailure(_ result: Int32) {
        guard result < 0, result != -ENOBUFS, result != -EINTR, result != -EAGAIN else { return }
        if readsMultishot && (result == -EINVAL || result == -EOPNOTSUPP) {
            readsMultishot = false
            changes.record(.multishotReadRefused)
            return
        }
        tun.failures &+= 1
        // EBADFD: the device was removed and the queue hangs in the air.
        if tun.failures >= WorkerRing.maxFailures || result == -EBADFD {
            tun.isLost = true
            changes.record(.tunLost)
        }
    }
}
