/// The head of every slot that holds a waiting frame. A frame longer than one slot goes on in others.
///
/// | off | size | field |
/// |---|---|---|
/// | 0 | 4 | next slot of the frame |
/// | 4 | 4 | next frame of its list |
/// | 8 | 4 | previous frame of its list |
/// | 12 | 4 | next younger frame of its flow |
/// | 16 | 4 | bytes of the whole frame |
/// | 20 | 2 | bytes in this slot |
/// | 22 | 2 | slots of the frame |
/// | 24 | 1 | kind |
/// | 25 | 1 | flow |
/// | 28 | 4 | when it was queued, in microseconds |
/// | 32 | 2016 | bytes of the frame |
///
/// `max` ends every chain. All but the first and the bytes in this slot count in a frame's first slot only.
struct StreamNode: BitwiseCopyable {
    static let size = 32
    /// Bytes of frame in one slot.
    static let capacity = 2_048 - size
    static let none: UInt32 = .max

    var nextSlot = StreamNode.none
    var next = StreamNode.none
    var previous = StreamNode.none
    var nextOfFlow = StreamNode.none
    var frameLength: UInt32 = 0
    var slotLength: UInt16 = 0
    var slots: UInt16 = 0
    var kind: UInt8 = 0
    var flow: UInt8 = 0
    var queued: UInt32 = 0

    /// Slots that a frame of `length` bytes takes.
    static func slots(for length: Int) -> Int { (length + capacity - 1) / capacity }
}
