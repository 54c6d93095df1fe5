import HyphaStreams

/// The write queue as it is described, with arrays.
struct SlowQueue {
    struct Frame: Equatable {
        var bytes: [UInt8]
        var flow: Int?
        /// When it was queued, in microseconds.
        var queued: UInt32 = 0
        var slots: Int { (bytes.count + 2_015) / 2_016 }
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

    /// The oldest waiting frame of the flow with the most bytes.
    private func victim(flow: Int, counting extra: Int) -> Int? {
        var sizes = [Int](repeating: 0, count: 64)
        for frame in data { sizes[frame.flow ?? 0] += frame.bytes.count }
        sizes[flow] += extra
        let largest = sizes.firstIndex(of: sizes.max() ?? 0)
        return data.firstIndex { $0.flow == largest }
    }

    private func hasRoom(for bytes: [UInt8], _ pace: StreamPace) -> Bool {
        let held = (allData + allControl).reduce(0) { $0 + $1.slots }
        guard held + Frame(bytes: bytes, flow: 0).slots <= limits.linkSlots else { return false }
        let total = allData.reduce(bytes.count) { $0 + $1.bytes.count }
        let isFew = allData.count < limits.dataPackets && total <= limits.dataBytes
        return isFew || total <= pace.drained
    }

    mutating func append(data bytes: [UInt8], flow: Int, _ pace: StreamPace) -> (queued: Bool, displaced: Int) {
        var displaced = 0
        while !hasRoom(for: bytes, pace) {
            guard let victim = victim(flow: flow, counting: bytes.count) else {
                dropped += displaced
                return (false, displaced)
            }
            data.remove(at: victim)
            displaced += 1
        }
        for _ in 0..<(pace.isSteady ? 2 : 0) where allData.count > limits.freshPackets {
            guard let victim = victim(flow: 0, counting: 0),
                UInt64(pace.microseconds &- data[victim].queued) > limits.staleMilliseconds * 1_000
            else { break }
            data.remove(at: victim)
            displaced += 1
        }
        dropped += displaced
        data.append(Frame(bytes: bytes, flow: flow, queued: pace.microseconds))
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
