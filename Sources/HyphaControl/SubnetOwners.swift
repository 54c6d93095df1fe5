import HyphaBase

/// Which node addresses are known inside each /64 (docs/protocol.md, "Address check").
///
/// Normally one. The first known keeps the whole /64; others there count with their full address only.
struct SubnetOwners: Sendable {
    private struct Owner: Sendable {
        let low: UInt64
        /// How many parts of the control plane know it.
        var count: Int
    }

    private var owners: [UInt64: [Owner]] = [:]
    /// The /64s in which another number of nodes is known than before, by their upper half, in order.
    private(set) var changed: [UInt64] = []

    init(own address: IPv6Address) {
        owners[address.high] = [Owner(low: address.low, count: 1)]
    }

    mutating func learn(_ address: IPv6Address) {
        var list = owners[address.high] ?? []
        if let i = list.firstIndex(where: { $0.low == address.low }) {
            list[i].count += 1
        } else {
            list.append(Owner(low: address.low, count: 1))
            changed.append(address.high)
        }
        owners[address.high] = list
    }

    mutating func forget(_ address: IPv6Address) {
        guard var list = owners[address.high], let i = list.firstIndex(where: { $0.low == address.low }) else { return }
        list[i].count -= 1
        if list[i].count == 0 {
            list.remove(at: i)
            changed.append(address.high)
        }
        owners[address.high] = list.isEmpty ? nil : list
    }

    /// The address that the /64 around `address` belongs to; nil when none is known there.
    func owner(of address: IPv6Address) -> IPv6Address? {
        owners[address.high]?.first.map { IPv6Address(high: address.high, low: $0.low) }
    }

    /// True when no other address than `address` is known in its /64.
    func isAlone(_ address: IPv6Address) -> Bool {
        owners[address.high]?.allSatisfy { $0.low == address.low } ?? true
    }

    /// Returns and clears `changed`.
    mutating func takeChanged() -> [UInt64] {
        defer { changed.removeAll() }
        return changed
    }
}
