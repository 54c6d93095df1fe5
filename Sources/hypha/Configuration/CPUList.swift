/// A set of CPU numbers in the kernel's list format: "0-3,8". The empty list leaves the choice to the program.
struct CPUList: Hashable, Sendable {
    /// Ascending, without repetition.
    let cpus: [Int]

    /// CPU numbers the format accepts, the size of glibc's CPU set.
    static let limit = 1024

    init() { cpus = [] }

    /// Parses the list format; nil for anything else.
    init?(_ text: String) {
        var numbers = Set<Int>()
        for part in text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
            let values = ends.compactMap { end in
                end.utf8.allSatisfy { (48...57).contains($0) } ? Int(end) : nil
            }
            guard values.count == ends.count, values.count <= 2, let first = values.first, let last = values.last,
                first <= last, last < CPUList.limit
            else { return nil }
            numbers.formUnion(first...last)
        }
        cpus = numbers.sorted()
    }
}

extension CPUList: CustomStringConvertible {
    var description: String {
        var ranges: [ClosedRange<Int>] = []
        for cpu in cpus {
            if let last = ranges.last, last.upperBound + 1 == cpu {
                ranges[ranges.count - 1] = last.lowerBound...cpu
            } else {
                ranges.append(cpu...cpu)
            }
        }
        return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: ",")
    }
}
