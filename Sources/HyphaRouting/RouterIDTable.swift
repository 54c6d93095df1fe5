import HyphaBase
import HyphaWire

/// Router ids in use, each under a 32-bit number, with the address that belongs to its key.
///
/// Counted by use: an id leaves with the last route or source entry that names it, so the table is bounded by theirs.
struct RouterIDTable: Sendable {
    private struct Entry: Sendable {
        var id: RouterID
        var origin: IPv6Address
        var uses: UInt32
    }

    private var entries: [Entry] = []
    private var free: [UInt32] = []
    private var numbers: [RouterID: UInt32] = [:]

    var count: Int { numbers.count }

    /// The number of an id in use, else nil.
    func number(of id: RouterID) -> UInt32? { numbers[id] }

    /// The id under a number in use.
    subscript(number: UInt32) -> RouterID { entries[Int(number)].id }

    /// The address that belongs to the key of an id in use.
    func origin(_ number: UInt32) -> IPv6Address { entries[Int(number)].origin }

    /// Counts one more use. The caller gives it back with `release`.
    mutating func retain(_ id: RouterID, origin: @autoclosure () -> IPv6Address) -> UInt32 {
        if let number = numbers[id] {
            entries[Int(number)].uses += 1
            return number
        }
        let entry = Entry(id: id, origin: origin(), uses: 1)
        let number: UInt32
        if let reused = free.popLast() {
            number = reused
            entries[Int(number)] = entry
        } else {
            number = UInt32(truncatingIfNeeded: entries.count)
            entries.append(entry)
        }
        numbers[id] = number
        return number
    }

    mutating func retain(_ number: UInt32) { entries[Int(number)].uses += 1 }

    mutating func release(_ number: UInt32) {
        entries[Int(number)].uses -= 1
        guard entries[Int(number)].uses == 0 else { return }
        numbers[entries[Int(number)].id] = nil
        free.append(number)
    }
}
