public import HyphaBase
public import HyphaPacket
import HyphaWire

/// One connection to a stock neighbour: what comes in, what waits to go out, and since when nothing happened.
public struct StreamLink {
    private var framer = StreamFramer()
    private var queue = StreamQueue()
    private let opened: Instant
    private var lastReceived: Instant
    /// When the frame began that has not ended yet, and its number.
    private var frameBegan: Instant?
    private var unfinished: UInt64 = 0
    /// When the peer last took something, or something began to wait.
    private var lastProgress: Instant
    private var rate: StreamRate
    /// Since when the peer has taken something all the time while some waited.
    private var steadySince: Instant
    private var hadFrame = false
    private var own = StreamCounters()
    /// Frames passed over that `addPassedOver` has told: without meaning, too long, without a buffer.
    private var told: (UInt64, UInt64, UInt64) = (0, 0, 0)

    public init(now: Instant) {
        opened = now
        lastReceived = now
        lastProgress = now
        rate = StreamRate(now: now)
        steadySince = now
    }

    // MARK: in

    /// The next frame out of what was received before and `input`, whose bytes it uses up from the front. Call until it
    /// says that all are used up.
    public mutating func next(_ input: inout Train.Piece, _ memory: StreamMemory, now: Instant) -> StreamEvent {
        let before = input.length
        let event = framer.next(&input, memory)
        if before > 0 { lastReceived = now }
        own.receivedBytes &+= UInt64(before &- input.length)
        switch event {
        case .frame: hadFrame = true
        case .exhausted:
            if framer.isInsideFrame, framer.begun != unfinished {
                unfinished = framer.begun
                frameBegan = now
            } else if !framer.isInsideFrame {
                frameBegan = nil
            }
        case .failed: break
        }
        return event
    }

    /// Adds the frames that were passed over since the last call.
    @inline(__always)
    mutating func addPassedOver(to tally: inout StreamTally) {
        let now = (framer.meaningless, framer.tooLong, framer.unbuffered)
        guard now != told else { return }
        tally.meaningless &+= Int(truncatingIfNeeded: now.0 &- told.0)
        tally.tooLong &+= Int(truncatingIfNeeded: now.1 &- told.1)
        tally.unbuffered &+= Int(truncatingIfNeeded: now.2 &- told.2)
        told = now
    }

    // MARK: out

    /// Queues a copy of a data frame, header included. `flow` is the class of its source and destination.
    public mutating func send(
        data frame: UnsafeRawBufferPointer, flow: Int, _ limits: StreamLimits, _ memory: StreamMemory, now: Instant
    ) -> StreamAdmission {
        guard StockSafety.isSafe(data: frame) else {
            own.dataRefused &+= 1
            return StreamAdmission(.unsafe)
        }
        let wasEmpty = queue.isEmpty
        let admission = queue.append(data: frame, flow: flow, pace(limits, now: now), limits, memory)
        own.dataDisplaced &+= UInt64(admission.displaced)
        if admission.fate == .queued { own.dataQueued &+= 1 } else { own.dataRefused &+= 1 }
        if wasEmpty { lastProgress = now }
        return admission
    }

    private mutating func pace(_ limits: StreamLimits, now: Instant) -> StreamPace {
        let stop = limits.stopMilliseconds &* 1_000_000
        return StreamPace(
            drained: rate.perSecond(now: now) / 1_000 &* limits.drainMilliseconds,
            isSteady: !queue.isEmpty && now.nanoseconds(since: lastProgress) < stop
                && now >= steadySince.advanced(byMilliseconds: limits.steadyMilliseconds),
            microseconds: UInt32(truncatingIfNeeded: now.nanoseconds / 1_000))
    }

    /// Bytes a second that the peer takes, by the last windows in which it took any.
    public mutating func drainRate(now: Instant) -> Int { rate.perSecond(now: now) }

    /// Whole data frames of `bytes` bytes went past the empty queue to the peer.
    mutating func passed(frames: Int, bytes: Int, now: Instant) {
        own.dataQueued &+= UInt64(frames)
        own.dataWritten &+= UInt64(frames)
        own.writtenBytes &+= UInt64(bytes)
        progress(bytes, now)
    }

    /// As above, then the first `count` bytes of `frame`, whose rest is queued. False when there is no memory for it.
    mutating func passed(
        partOf frame: UnsafeRawBufferPointer, bytes count: Int, _ memory: StreamMemory, now: Instant
    ) -> Bool {
        guard queue.append(started: frame, written: count, memory) else { return false }
        own.dataQueued &+= 1
        own.writtenBytes &+= UInt64(count)
        progress(count, now)
        return true
    }

    /// Queues a copy of a control frame, header included. Frames that would hurt a stock peer are refused.
    public mutating func send(
        control frame: UnsafeRawBufferPointer, _ limits: StreamLimits, _ memory: StreamMemory, now: Instant
    ) -> StreamAdmission {
        guard StockSafety.isSafe(control: frame) else {
            own.controlRefused &+= 1
            return StreamAdmission(.unsafe)
        }
        let wasEmpty = queue.isEmpty
        let admission = queue.append(control: frame, limits, memory)
        if admission.fate == .queued { own.controlQueued &+= 1 } else { own.controlRefused &+= 1 }
        if wasEmpty { lastProgress = now }
        return admission
    }

    /// Drops one waiting data packet, the oldest of the largest flow; false when none waits.
    mutating func displaceOne(_ memory: StreamMemory) -> Bool {
        guard queue.dropOldestOfLargest(memory) else { return false }
        own.dataDisplaced &+= 1
        return true
    }

    /// What to write next; see `StreamQueue.nextWrite`.
    public mutating func nextWrite(
        _ pieces: UnsafeMutableBufferPointer<Train.Piece>, _ limits: StreamLimits, _ memory: StreamMemory
    ) -> Int {
        queue.nextWrite(pieces, limits, memory)
    }

    /// The kernel took `count` bytes of the last write.
    public mutating func written(
        _ count: Int, _ limits: StreamLimits, _ memory: StreamMemory, now: Instant
    ) -> StreamQueue.Written {
        let done = queue.written(count, memory)
        if count > 0 {
            if now >= lastProgress.advanced(byMilliseconds: limits.stopMilliseconds) { steadySince = now }
            own.writtenBytes &+= UInt64(count)
            progress(count, now)
        }
        own.dataWritten &+= UInt64(done.data)
        own.controlWritten &+= UInt64(done.control)
        return done
    }

    private mutating func progress(_ count: Int, _ now: Instant) {
        lastProgress = now
        rate.note(count, now: now)
    }

    public var isWriting: Bool { queue.isWriting }
    public var hasWaiting: Bool { !queue.isEmpty }
    /// Slots that waiting frames hold.
    public var slots: Int { queue.slots }
    var hasDroppable: Bool { queue.hasDroppable }
    public var waitingData: Int { queue.dataPackets }
    public var waitingBytes: Int { queue.dataBytes }
    public var waitingControl: Int { queue.controlFrames }

    // MARK: end

    /// Gives back all memory but what the kernel still writes; call again after `written` if `isWriting`.
    public mutating func close(_ memory: StreamMemory) {
        framer.close(memory)
        let gone = queue.discard(memory)
        own.dataDiscarded &+= UInt64(gone.data)
        own.controlDiscarded &+= UInt64(gone.control)
    }

    /// Why the connection must be closed at `now`, nil when it may go on.
    public func end(_ limits: StreamLimits, now: Instant) -> StreamEnd? {
        if let end = framer.end { return end }
        if !hadFrame, now >= opened.advanced(byMilliseconds: limits.firstFrameMilliseconds) { return .noFirstFrame }
        if now >= lastReceived.advanced(byMilliseconds: limits.idleMilliseconds) { return .idle }
        if let frameBegan, now >= frameBegan.advanced(byMilliseconds: limits.frameMilliseconds) {
            return .unfinishedFrame
        }
        if hasWaiting, now >= lastProgress.advanced(byMilliseconds: limits.writeStallMilliseconds) {
            return .stalledWrite
        }
        return nil
    }

    /// The earliest moment at which `end` says why if nothing happens until then.
    public func deadline(_ limits: StreamLimits) -> Instant {
        var nearest = lastReceived.advanced(byMilliseconds: limits.idleMilliseconds)
        if !hadFrame { nearest = min(nearest, opened.advanced(byMilliseconds: limits.firstFrameMilliseconds)) }
        if let frameBegan {
            nearest = min(nearest, frameBegan.advanced(byMilliseconds: limits.frameMilliseconds))
        }
        if hasWaiting { nearest = min(nearest, lastProgress.advanced(byMilliseconds: limits.writeStallMilliseconds)) }
        return nearest
    }

    /// What happened on this connection.
    public var counters: StreamCounters {
        var all = own
        all.dataReceived = framer.dataFrames
        all.controlReceived = framer.controlFrames
        all.meaningless = framer.meaningless
        all.tooLong = framer.tooLong
        all.unbuffered = framer.unbuffered
        return all
    }
}
