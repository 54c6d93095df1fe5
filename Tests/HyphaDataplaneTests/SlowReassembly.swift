import HyphaBase

/// What becomes of pieces, by the rules of the protocol alone: a list that is searched from end to end.
struct SlowReassembly {
    struct Piece {
        var link: UInt32
        var session: UInt32
        var lane: UInt8
        var id: UInt16
        var part: UInt8
        var total: UInt8
        var bytes: [UInt8]
        var since: Instant
    }

    enum Outcome: Equatable {
        case waits, bad
        case whole([UInt8])
    }

    /// Oldest first.
    private(set) var waiting: [Piece] = []
    private(set) var lost = 0
    private(set) var bad = 0

    mutating func expire(_ now: Instant) {
        let before = waiting.count
        waiting.removeAll { now.milliseconds(since: $0.since) >= 100 }
        lost += before - waiting.count
    }

    mutating func end(_ session: UInt32) {
        let before = waiting.count
        waiting.removeAll { $0.session == session }
        lost += before - waiting.count
    }

    mutating func take(_ piece: Piece) -> Outcome {
        expire(piece.since)
        guard piece.total == 2, piece.part < 2, piece.bytes.count <= 2_048 else {
            bad += 1
            return .bad
        }
        let other = waiting.firstIndex {
            $0.session == piece.session && $0.lane == piece.lane && $0.id == piece.id
        }
        guard let other else {
            let ofLink = waiting.indices.filter { waiting[$0].link == piece.link }
            if ofLink.count == 64 {
                waiting.remove(at: ofLink[0])
                lost += 1
            } else if waiting.count == 1_024 {
                waiting.removeFirst()
                lost += 1
            }
            waiting.append(piece)
            return .waits
        }
        guard waiting[other].part != piece.part else {
            bad += 1
            return .bad
        }
        let stored = waiting.remove(at: other).bytes
        let whole = piece.part == 0 ? piece.bytes + stored : stored + piece.bytes
        guard whole.count >= 48, whole.count <= 4_096, whole[0] < 0x80 else {
            bad += 2
            return .bad
        }
        return .whole(whole)
    }
}
