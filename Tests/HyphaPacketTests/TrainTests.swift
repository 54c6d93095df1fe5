import HyphaPacket
import Testing

@Suite struct TrainTests {
    @Test func startsEmptyAndClears() {
        var train = Train()
        defer { train.deallocate() }
        #expect(train.isEmpty)
        train.pieces[Train.maxPieces - 1] = Train.Piece(buffer: 7, offset: 8, length: 9)
        #expect(train.pieces[Train.maxPieces - 1].length == 9)
        train.packetCount = 3
        train.pieceCount = 2
        train.totalLength = 4_200
        train.segmentSize = 1_400
        #expect(!train.isEmpty)
        train.clear()
        #expect(train.isEmpty)
        #expect(train.pieceCount == 0 && train.totalLength == 0 && train.segmentSize == 0)
    }

    /// A train must fit into one datagram of the kernel, headers included, and into one slab.
    @Test func limitsFitTheKernel() {
        #expect(Train.maxBytes <= 65_507)
        #expect(Train.maxBytes <= PacketPool.slabCapacity)
        #expect(Train.maxPieces >= Train.maxPackets)
    }
}
