/// Results as a table or as JSON.
struct BenchResult {
    var rows: [BenchRow] = []

    /// One array with one object for each row, followed by a newline.
    var json: String {
        if rows.isEmpty { return "[]\n" }
        return "[\n" + rows.map { "  " + BenchResult.object($0) }.joined(separator: ",\n") + "\n]\n"
    }

    private static func object(_ row: BenchRow) -> String {
        var fields = [
            ("bench", quote(row.bench)), ("name", quote(row.name)), ("size", "\(row.size)"), ("pps", number(row.pps)),
            ("gbps", number(row.gbps)), ("cpu_ns_per_packet", number(row.cpuNanosecondsPerPacket)),
            ("loss", number(row.loss)), ("drops", "\(row.drops)"),
        ]
        fields += row.details.map { ($0.key, encode($0.value)) }
        if !row.note.isEmpty { fields.append(("note", quote(row.note))) }
        return "{" + fields.map { "\(quote($0.0)): \($0.1)" }.joined(separator: ", ") + "}"
    }

    private static func encode(_ value: BenchRow.Value) -> String {
        switch value {
        case .number(let value): number(value)
        case .count(let value): "\(value)"
        case .text(let text): quote(text)
        case .counts(let counts): "{" + counts.map { "\(quote($0.key)): \($0.value)" }.joined(separator: ", ") + "}"
        }
    }

    /// JSON has no infinity and no NaN: null stands for both.
    private static func number(_ value: Double) -> String {
        guard value.isFinite else { return "null" }
        if value == value.rounded(), abs(value) < 1e15 { return "\(Int64(value))" }
        // Four digits behind the point of what is at least one; small shares keep their digits.
        let scale = abs(value) >= 1 ? 1e4 : 1e9
        return "\((value * scale).rounded() / scale)"
    }

    private static func quote(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            default:
                if scalar.value < 32 {
                    let hex = String(scalar.value, radix: 16)
                    out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                } else {
                    out.unicodeScalars.append(scalar)
                }
            }
        }
        return out + "\""
    }

    /// Aligned columns, one row a line.
    var table: String {
        let header = ["bench", "what", "size", "Mpps", "Gbit/s", "cpu ns", "loss %", "drops", ""]
        let cells = rows.map { row in
            [
                row.bench, row.name, row.size == 0 ? "-" : "\(row.size)",
                row.pps == 0 ? "-" : BenchResult.fixed(row.pps / 1e6, 3),
                row.gbps == 0 ? "-" : BenchResult.fixed(row.gbps, 2),
                row.cpuNanosecondsPerPacket == 0 ? "-" : BenchResult.fixed(row.cpuNanosecondsPerPacket, 1),
                BenchResult.fixed(row.loss * 100, 2), "\(row.drops)",
                row.note,
            ]
        }
        var widths = header.map(\.count)
        for line in cells { for (i, cell) in line.enumerated() { widths[i] = max(widths[i], cell.count) } }
        var text = ""
        for line in [header] + cells {
            var row = ""
            for (i, cell) in line.enumerated() {
                let padding = String(repeating: " ", count: widths[i] - cell.count)
                // Words to the left, numbers to the right.
                row += i < 2 ? cell + padding + "  " : i == 8 ? cell : padding + cell + "  "
            }
            while row.last == " " { row.removeLast() }
            text += row + "\n"
        }
        return text
    }

    /// `digits` behind the point.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "-" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int64((abs(value) * scale).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard digits > 0 else { return sign + "\(scaled)" }
        let whole = scaled / Int64(scale)
        let fraction = String(scaled % Int64(scale))
        return sign + "\(whole)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}
