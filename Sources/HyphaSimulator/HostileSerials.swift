import HyphaWire

/// The serials of all that a hostile node says to one neighbour, if it numbers what it invents and what its router says in one
/// row, so that the neighbour misses nothing.
struct HostileSerials: Sendable {
    private var epoch: UInt16?
    private var next: UInt16 = 0

    /// Another epoch of the router is one of this row too.
    private mutating func follow(_ other: UInt16) {
        guard other != epoch else { return }
        epoch = other
        next = 0
    }

    /// What the router says.
    mutating func number(_ tlv: BabelTLV) -> BabelTLV {
        switch tlv {
        case .update(var update):
            guard let serial = update.serial else { return tlv }
            follow(serial.epoch)
            update.serial = take()
            return .update(update)
        case .hello(var hello):
            guard let progress = hello.progress else { return tlv }
            follow(progress.next.epoch)
            hello.progress?.next.number = next
            return .hello(hello)
        default: return tlv
        }
    }

    /// The serial of an invented Update; nil before the router said anything.
    mutating func take() -> BabelTLV.Serial? {
        guard let epoch else { return nil }
        defer { next &+= 1 }
        return BabelTLV.Serial(epoch: epoch, number: next)
    }
}
