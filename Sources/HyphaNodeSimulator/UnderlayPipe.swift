import HyphaBase

/// A TCP connection in the underlay: two streams of bytes that arrive in order, or the end of it.
struct UnderlayPipe {
    struct End {
        let node: Int
        /// The start of the node that it belongs to.
        let boot: Int
        /// As that node numbers it; nil before it is open there, and after it ended.
        var connection: UInt32?
        /// When the last bytes on their way to this end arrive.
        var lastArrival = Instant.zero
        /// What waits for the cut to heal, towards this end.
        var held: [[UInt8]] = []
        /// The end of the stream waits, too: 0 for FIN, else an errno value.
        var heldEnd: Int32?
    }

    let link: Int
    /// Who dialled, who was dialled.
    var ends: [End]
    /// Since when something waits for a cut to heal; rises with every such time.
    var stuckSince: Instant?
    var isOver = false
}
