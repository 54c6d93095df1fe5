import HyphaBase
import HyphaInterchange

/// A TCP connection between two nodes of a `SimulatedNetwork`.
struct SimulatedPipe {
    enum Side: Int {
        /// Who dialled, and who was dialled.
        case dialled = 0
        case accepted = 1

        var other: Side { self == .dialled ? .accepted : .dialled }
    }

    enum Event: Sendable {
        /// The handshake is over as one side sees it.
        case opened(pipe: Int, side: Int)
        case failed(node: Int, number: UInt32, error: UInt32)
        case bytes(pipe: Int, side: Int, [UInt8])
        /// A packet for the overlay.
        case packet(pipe: Int, side: Int, [UInt8])
        /// The other side ended it.
        case ended(pipe: Int, side: Int, error: UInt16)
    }

    /// Numbers of the nodes, by side.
    let nodes: [Int]
    let number: UInt32
    /// Numbers of the connection at both ends, nil before it is open there and after it ended.
    var connections: [UInt32?] = [nil, nil]
    /// Port of the side that dialled.
    let port: UInt16
}
