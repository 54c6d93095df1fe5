import HyphaStreams

/// The write queue as it is described, with arrays.
struct SlowQueue {
    struct Frame: Equatable {
        var bytes: [UInt8]
        var flow: Int?
        var isData: Bool { flow != nil }
    }

    var limits: StreamLimits
    var control: [Frame] = []
    var data: [Frame] = []
    var flight: [Frame] = []
    var writtenOfFirst = 0
    var dropped = 0

    var allData: [Frame] { data + flight.filter(\.isData) }
    var allControl: [Frame] { control + flight.filter { !$0.isData } }
    var waiting: Int { control.count + data.count + flight.count }

    /// Whether it was queued.
    mutating func append(control bytes: [UInt8]) -> Bool {
        let size = allControl.reduce(0) { $0 + $1.bytes.count }
        guard allControl.count < limits.controlFrames, size + bytes.count <= limits.controlBytes else { return false }
        control.append(Frame(bytes: bytes, flow: nil))
        return true
    }

    mutating func append(data bytes: [UInt8], flow: Int) -> (queued: Bool, displaced: Int) {
        var displaced = 0
        while allData.count >= limits.dataPackets
            || allData.reduce(0, { $0 + $1.bytes.count }) + bytes.count > limits.dataBytes
        {
            var sizes = [Int](repeating: 0, count: 64)
            for frame in data { sizes[frame.flow ?? 0] += frame.bytes.count }
            sizes[flow] += bytes.count
            let largest = sizes.firstIndex(of: sizes.max() ?? 0)
            guard let victim = data.firstIndex(where: { $0.flow == largest }) else { return (false, displaced) }
            data.remove(at: victim)
            dropped += 1
            displaced += 1
        }
        data.append(Frame(bytes: bytes, flow: flow))
        return (true, displaced)
    }

    /// The bytes that a write is given.
    mutating func nextWrite(pieces: Int) -> [UInt8] {
        var out: [UInt8] = []
        var used = 0
        if let first = flight.first {
            out += first.bytes[writtenOfFirst...]
            used = Int((first.bytes.count + 2_015) / 2_016) - writtenOfFirst / 2_016
        }
        func take(_ frame: Frame) -> Bool {
            let slots = (frame.bytes.count + 2_015) / 2_016
            return used == 0 || (used + slots <= pieces && out.count + frame.bytes.count <= limits.writeBytes)
        }
        while let frame = control.first, take(frame) {
            flight.append(control.removeFirst())
            out += frame.bytes
            used += (frame.bytes.count + 2_015) / 2_016
        }
        while control.isEmpty, let frame = data.first, take(frame) {
            flight.append(data.removeFirst())
            out += frame.bytes
            used += (frame.bytes.count + 2_015) / 2_016
        }
        return out
    }

    /// Whole frames that went.
    mutating func written(_ count: Int) -> Int {
        var left = count
        var done = 0
        while let first = flight.first, left >= first.bytes.count - writtenOfFirst {
            left -= first.bytes.count - writtenOfFirst
            writtenOfFirst = 0
            flight.removeFirst()
            done += 1
        }
        if !flight.isEmpty { writtenOfFirst += left }
        let back = flight.dropFirst(writtenOfFirst > 0 ? 1 : 0)
        control = back.filter { !$0.isData } + control
        data = back.filter(\.isData) + data
        flight.removeLast(back.count)
        return done
    }
}
