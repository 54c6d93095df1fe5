import HyphaPacket

/// Frames in order, linked through their first slots.
struct StreamList {
    private(set) var first = StreamNode.none
    private(set) var last = StreamNode.none

    var isEmpty: Bool { first == StreamNode.none }

    mutating func append(_ frame: UInt32, _ pool: PacketPool) {
        let node = pool.node(frame)
        node.pointee.next = StreamNode.none
        node.pointee.previous = last
        if last == StreamNode.none { first = frame } else { pool.node(last).pointee.next = frame }
        last = frame
    }

    mutating func prepend(_ frame: UInt32, _ pool: PacketPool) {
        let node = pool.node(frame)
        node.pointee.previous = StreamNode.none
        node.pointee.next = first
        if first == StreamNode.none { last = frame } else { pool.node(first).pointee.previous = frame }
        first = frame
    }

    /// Takes a frame out, wherever in the list it stands.
    mutating func remove(_ frame: UInt32, _ pool: PacketPool) {
        let node = pool.node(frame)
        let (before, after) = (node.pointee.previous, node.pointee.next)
        if before == StreamNode.none { first = after } else { pool.node(before).pointee.next = after }
        if after == StreamNode.none { last = before } else { pool.node(after).pointee.previous = before }
    }
}

extension PacketPool {
    /// The node at the head of a slot.
    @inline(__always)
    func node(_ slot: UInt32) -> UnsafeMutablePointer<StreamNode> {
        base(slot).assumingMemoryBound(to: StreamNode.self)
    }
}
