/// A path of the underlay between two nodes.
struct UnderlayLink {
    let a: Int
    let b: Int
    /// Whether they speak TCP over it, or HL1.
    let isStream: Bool
    /// One way, in milliseconds.
    var delay: UInt64
    /// Up to so much is added to it, anew for every datagram, in milliseconds.
    var jitter: UInt64 = 0
    /// Of a thousand datagrams.
    var loss: UInt64 = 0
    /// Of a thousand datagrams come twice.
    var duplication: UInt64 = 0
    /// Cuts that hold now.
    var cuts = 0

    var isCut: Bool { cuts > 0 }

    func other(than node: Int) -> Int { node == a ? b : a }
}
