public import CAEAD
import CSodium
public import HyphaBase

/// Keys in use: one block of memory per session, found by the low bits of its receiver index.
///
/// | off | size | field | written by |
/// |---|---|---|---|
/// | 0 | 64 | `SessionRecord`: indices, owner, suite, lanes, times | control before install |
/// | 64 | 32 | `SessionUse`: state, failures, expanded lanes | worker |
/// | 96 | 32 | next ids of packets sent in pieces, 16 x 2 | lane owner |
/// | 128 | 128 | send counters, 16 x 8 | lane owner |
/// | 256 | 512 | send lane keys, 16 x 32 | control before install |
/// | 768 | 512 | receive lane keys, 16 x 32 | control before install |
/// | 1280 | 512 | `ReplayWindow`, 16 x 32 | lane owner |
/// | 1792 | 256 | marks: each lane's counter 2.5 to 5 s ago, and its successor, 16 x 16 | lane owner |
/// | 2048 | 2048 | small bitmaps, 16 x 128 | lane owner |
/// | 4096 | 18432 | expanded send keys, 16 x 1152 | lane owner, at first use |
/// | 22528 | 18432 | expanded receive keys | lane owner, at first use |
/// | 40960 | 65536 | large bitmaps, 16 x 4096 | lane owner, when they grow |
///
/// The memory is reserved once and touched when used: an idle session costs its first page. Control fills a block and
/// then tells the worker through its command ring, which orders the two. A handle: copies share the memory.
@frozen
public struct SessionTable: @unchecked Sendable {
    /// Link sessions and end-to-end sessions differ in their windows only.
    @frozen
    public enum Scope: UInt8, Sendable {
        case link, flow
    }

    public static let maxLanes = 16
    /// Bytes of one block.
    public static let blockSize = 106_496
    @usableFromInline static let fragmentIDs = 96
    @usableFromInline static let sendCounters = 128
    @usableFromInline static let sendKeys = 256
    @usableFromInline static let receiveKeys = 768
    @usableFromInline static let windows = 1_280
    @usableFromInline static let marks = 1_792
    @usableFromInline static let smallBitmaps = 2_048
    /// Age of a mark when it is replaced, milliseconds; two marks reach back twice as far.
    @usableFromInline static let markMilliseconds: UInt64 = 2_500
    @usableFromInline static let expandedSend = 4_096
    @usableFromInline static let expandedReceive = 22_528
    @usableFromInline static let largeBitmaps = 40_960

    @usableFromInline let memory: UnsafeMutableRawPointer
    /// Blocks, a power of two up to 65,536.
    public let capacity: Int
    @usableFromInline let mask: UInt32
    public let scope: Scope

    /// Over zeroed memory of `capacity` blocks, 4,096-aligned, that outlives every copy.
    public init(memory: UnsafeMutableRawPointer, capacity: Int, scope: Scope) {
        precondition(capacity > 0 && capacity & (capacity - 1) == 0 && capacity <= 65_536)
        self.memory = memory
        self.capacity = capacity
        mask = UInt32(capacity - 1)
        self.scope = scope
    }

    /// Bits of an index that name the slot.
    public var slotBits: Int { mask.nonzeroBitCount }

    @inlinable @inline(__always)
    func block(_ slot: UInt32) -> UnsafeMutableRawPointer {
        memory + Int(slot & mask) &* SessionTable.blockSize
    }

    /// What control says about a session.
    @inlinable @inline(__always)
    public func record(_ slot: UInt32) -> UnsafeMutablePointer<SessionRecord> {
        block(slot).assumingMemoryBound(to: SessionRecord.self)
    }

    /// What the worker keeps about a session.
    @inlinable @inline(__always)
    public func use(_ slot: UInt32) -> UnsafeMutablePointer<SessionUse> {
        (block(slot) + 64).assumingMemoryBound(to: SessionUse.self)
    }

    /// The slot of an installed session with this receiver index, nil when there is none.
    @inlinable @inline(__always)
    public func slot(index: UInt32) -> UInt32? {
        let slot = index & mask
        guard use(slot).pointee.installed != 0, record(slot).pointee.localIndex == index else { return nil }
        return slot
    }

    /// Next counter of a send lane.
    @inlinable @inline(__always)
    public func sendCounter(_ slot: UInt32, lane: Int) -> UnsafeMutablePointer<UInt64> {
        (block(slot) + SessionTable.sendCounters + 8 &* (lane & 15)).assumingMemoryBound(to: UInt64.self)
    }

    /// Next id of a packet that goes in pieces on a send lane.
    @inlinable @inline(__always)
    public func fragmentID(_ slot: UInt32, lane: Int) -> UnsafeMutablePointer<UInt16> {
        (block(slot) + SessionTable.fragmentIDs + 2 &* (lane & 15)).assumingMemoryBound(to: UInt16.self)
    }

    @inlinable @inline(__always)
    public func window(_ slot: UInt32, lane: Int) -> UnsafeMutablePointer<ReplayWindow> {
        (block(slot) + SessionTable.windows + 32 &* (lane & 15)).assumingMemoryBound(to: ReplayWindow.self)
    }

    @inlinable @inline(__always)
    func mark(_ slot: UInt32, lane: Int) -> UnsafeMutablePointer<UInt64> {
        (block(slot) + SessionTable.marks + 16 &* (lane & 15)).assumingMemoryBound(to: UInt64.self)
    }

    /// Notes the send counters now and then; call when sealing. Makes `wasSentLately` possible.
    @inlinable @inline(__always)
    public func noteSending(_ slot: UInt32, now: Instant) {
        let last = use(slot).pointee.markedAt
        if now.milliseconds(since: last) >= SessionTable.markMilliseconds { moveMarks(slot, now: now) }
    }

    @usableFromInline @inline(never)
    func moveMarks(_ slot: UInt32, now: Instant) {
        // After a pause nothing in the marks is recent any more.
        let paused = now.milliseconds(since: use(slot).pointee.markedAt) >= 2 * SessionTable.markMilliseconds
        use(slot).pointee.markedAt = now
        for lane in 0..<SessionTable.maxLanes {
            let marks = mark(slot, lane: lane)
            let counter = sendCounter(slot, lane: lane).pointee
            marks[0] = paused ? counter : marks[1]
            marks[1] = counter
        }
    }

    /// True when a packet with this counter was sent on the lane in the last 2.5 to 5 seconds.
    public func wasSentLately(_ slot: UInt32, lane: Int, counter: UInt64, now: Instant) -> Bool {
        guard now.milliseconds(since: use(slot).pointee.markedAt) < 2 * SessionTable.markMilliseconds else {
            return false
        }
        return counter < sendCounter(slot, lane: lane).pointee && counter >= mark(slot, lane: lane)[0]
    }

    /// The bitmap in use by a lane's window.
    @inlinable @inline(__always)
    public func bitmap(_ slot: UInt32, lane: Int) -> UnsafeMutablePointer<UInt64> {
        let small = window(slot, lane: lane).pointee.bits <= 1_024
        let offset =
            small ? SessionTable.smallBitmaps &+ 128 &* (lane & 15) : SessionTable.largeBitmaps &+ 4_096 &* (lane & 15)
        return (block(slot) + offset).assumingMemoryBound(to: UInt64.self)
    }

    /// The expanded key to seal with on a lane; expands it at first use.
    @inlinable @inline(__always)
    public func sendKey(_ slot: UInt32, lane: Int, _ context: OpaquePointer) -> UnsafeMutableRawPointer {
        if use(slot).pointee.expandedSend & (1 &<< UInt16(truncatingIfNeeded: lane & 15)) == 0 {
            expand(slot, lane: lane, context, sending: true)
        }
        return block(slot) + SessionTable.expandedSend + Int(CAEAD_KEY_SIZE) &* (lane & 15)
    }

    /// The expanded key to open with on a lane; expands it at first use.
    @inlinable @inline(__always)
    public func receiveKey(_ slot: UInt32, lane: Int, _ context: OpaquePointer) -> UnsafeMutableRawPointer {
        if use(slot).pointee.expandedReceive & (1 &<< UInt16(truncatingIfNeeded: lane & 15)) == 0 {
            expand(slot, lane: lane, context, sending: false)
        }
        return block(slot) + SessionTable.expandedReceive + Int(CAEAD_KEY_SIZE) &* (lane & 15)
    }

    @usableFromInline @inline(never)
    func expand(_ slot: UInt32, lane: Int, _ context: OpaquePointer, sending: Bool) {
        let lane = lane & 15
        let bit: UInt16 = 1 &<< UInt16(lane)
        let raw = block(slot) + (sending ? SessionTable.sendKeys : SessionTable.receiveKeys) + 32 * lane
        let key =
            block(slot) + (sending ? SessionTable.expandedSend : SessionTable.expandedReceive)
            + Int(CAEAD_KEY_SIZE) * lane
        caead_key_init(
            context, key, Int32(record(slot).pointee.suite), raw.assumingMemoryBound(to: UInt8.self))
        if sending { use(slot).pointee.expandedSend |= bit } else { use(slot).pointee.expandedReceive |= bit }
    }

    /// Marks a counter as seen after its packet opened; false for a replay. Grows the window of a fast lane.
    @inlinable @inline(__always)
    public func admit(_ slot: UInt32, lane: Int, counter: UInt64, second: UInt64) -> Bool {
        let window = window(slot, lane: lane)
        let rate = window.pointee.countPacket(second: second)
        if rate > SessionLimits.activeLaneRate { considerGrowth(slot, lane: lane, rate: rate) }
        return window.pointee.commit(counter, bitmap(slot, lane: lane))
    }

    @usableFromInline @inline(never)
    func considerGrowth(_ slot: UInt32, lane: Int, rate: UInt32) {
        let window = window(slot, lane: lane)
        let bits = window.pointee.bits
        let wanted: UInt32
        switch scope {
        case .link: wanted = rate > SessionLimits.fastLaneRate ? 16_384 : 1_024
        case .flow: wanted = rate > SessionLimits.fastLaneRate ? 32_768 : 4_096
        }
        guard wanted > bits else { return }
        let old = bitmap(slot, lane: lane)
        let new = (block(slot) + SessionTable.largeBitmaps + 4_096 * (lane & 15)).assumingMemoryBound(to: UInt64.self)
        if old == new {
            // The bitmap grows in place: keep a copy of the old words while they move.
            withUnsafeTemporaryAllocation(of: UInt64.self, capacity: Int(bits) / 64) { copy in
                guard let base = copy.baseAddress else { return }
                base.initialize(from: old, count: copy.count)
                window.pointee.grow(to: wanted, from: base, into: new)
            }
        } else {
            window.pointee.grow(to: wanted, from: old, into: new)
        }
    }

    /// Fills a free block; the worker installs it when it is told to. `sendKeys` and `receiveKeys` hold 32 bytes for
    /// each of the record's lanes.
    public func prepare(_ slot: UInt32, _ new: SessionRecord, sendKeys: [[UInt8]], receiveKeys: [[UInt8]]) {
        let base = block(slot)
        record(slot).initialize(to: new)
        use(slot).initialize(to: SessionUse())
        let bits: UInt32 = scope == .link ? 1_024 : 256
        for lane in 0..<SessionTable.maxLanes {
            sendCounter(slot, lane: lane).initialize(to: 0)
            fragmentID(slot, lane: lane).initialize(to: 0)
            mark(slot, lane: lane).initialize(repeating: 0, count: 2)
            window(slot, lane: lane).initialize(to: ReplayWindow(bits: bits))
        }
        for (lane, key) in sendKeys.enumerated() where lane < SessionTable.maxLanes && key.count == 32 {
            (base + SessionTable.sendKeys + 32 * lane).copyMemory(from: key, byteCount: 32)
        }
        for (lane, key) in receiveKeys.enumerated() where lane < SessionTable.maxLanes && key.count == 32 {
            (base + SessionTable.receiveKeys + 32 * lane).copyMemory(from: key, byteCount: 32)
        }
    }

    /// Ends a session on its worker: nothing is found, sealed or opened with it any more, and its keys are gone.
    public func retire(_ slot: UInt32) {
        let base = block(slot)
        let used = use(slot).pointee
        use(slot).pointee.installed = 0
        record(slot).pointee.localIndex = 0
        sodium_memzero(base + SessionTable.sendKeys, 1_024)
        for lane in 0..<SessionTable.maxLanes {
            let bit: UInt16 = 1 &<< UInt16(lane)
            if used.expandedSend & bit != 0 {
                caead_key_wipe(base + SessionTable.expandedSend + Int(CAEAD_KEY_SIZE) * lane)
            }
            if used.expandedReceive & bit != 0 {
                caead_key_wipe(base + SessionTable.expandedReceive + Int(CAEAD_KEY_SIZE) * lane)
            }
        }
        use(slot).pointee.expandedSend = 0
        use(slot).pointee.expandedReceive = 0
    }
}
