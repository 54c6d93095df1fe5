import HyphaPacket

@testable import HyphaDataplane

/// The bytes of one TCP connection between two nodes in memory.
struct StreamWire {
    struct End {
        let node: TestNode
        let connection: UInt32
        /// Bytes carried to the other end.
        var carried = 0
    }

    var ends: [End]

    init(_ a: TestNode, _ atA: UInt32, _ b: TestNode, _ atB: UInt32) {
        ends = [End(node: a, connection: atA), End(node: b, connection: atB)]
    }

    /// Takes what either end wrote to the other.
    mutating func carry() {
        for i in 0..<2 {
            let bytes = ends[i].node.io.written(ends[i].connection)
            guard bytes.count > ends[i].carried else { continue }
            ends[1 - i].node.io.arrive(Array(bytes[ends[i].carried...]), on: ends[1 - i].connection)
            ends[i].carried = bytes.count
        }
    }
}
