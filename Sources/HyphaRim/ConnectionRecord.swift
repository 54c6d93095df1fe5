internal import HyphaBase

/// One TCP connection of a worker, or the free place of one.
struct ConnectionRecord {
    enum State: UInt8, BitwiseCopyable {
        case free
        /// Dialled.
        case connecting
        case open
        /// To be closed as soon as nothing of it is in the kernel any more.
        case ending
        /// Closed; its last event waits to be taken.
        case closed
    }

    /// What is to be told about it, oldest first.
    struct Events: OptionSet, BitwiseCopyable {
        let rawValue: UInt8
        static let opened = Events(rawValue: 1)
        static let written = Events(rawValue: 2)
        static let closed = Events(rawValue: 4)
    }

    var id: UInt32
    var descriptor: Int32 = -1
    var state = State.free
    var events: Events = []
    /// Number of the listener it came in on, -1 when it was dialled.
    var listener: Int16 = -1
    /// Its requests in the kernel.
    var isConnecting = false
    var isReceiving = false
    var isWriting = false
    /// The owner wants its bytes: its opening was taken, and it is not paused.
    var wantsBytes = false
    /// The owner paused it.
    var isPaused = false
    /// It ends with RST.
    var resets = false
    /// Stands in the table's line of events, of receives to ask for.
    var isInEventLine = false
    var isInReceiveLine = false
    /// Bytes of the last write that the kernel took.
    var written = 0
    /// Errno value that ended it, 0 for none.
    var error: Int32 = 0
    /// Buffers of the write under way.
    var bufferCount: Int32 = 0
    var local = SocketAddress(address: IPv6Address(high: 0, low: 0), port: 0)
    var remote = SocketAddress(address: IPv6Address(high: 0, low: 0), port: 0)

    init(id: UInt32) { self.id = id }

    /// Requests of it are in the kernel.
    var isBusy: Bool { isConnecting || isReceiving || isWriting }
}
