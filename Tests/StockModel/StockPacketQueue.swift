/// Packets that wait, by subnet. What does not fit is refused.
struct StockPacketQueue<Packet: Sendable>: Sendable {
    let perSubnet: Int
    let total: Int
    private var waiting: [StockSubnet: [Packet]] = [:]
    private(set) var count = 0

    init(perSubnet: Int, total: Int) {
        self.perSubnet = perSubnet
        self.total = total
    }

    mutating func add(_ packet: Packet, for subnet: StockSubnet) -> Bool {
        guard count < total, waiting[subnet]?.count ?? 0 < perSubnet else { return false }
        waiting[subnet, default: []].append(packet)
        count += 1
        return true
    }

    mutating func take(_ subnet: StockSubnet) -> [Packet] {
        guard count > 0, let packets = waiting.removeValue(forKey: subnet) else { return [] }
        count -= packets.count
        return packets
    }
}
