/// One result, for the table and for JSON.
struct BenchRow {
    /// A field beyond those that every result has.
    enum Value {
        case number(Double)
        case count(UInt64)
        case text(String)
        case counts([(key: String, value: UInt64)])
    }

    /// What it is called on the command line.
    var bench: String
    /// What exactly was measured.
    var name: String
    /// Bytes of what is counted: a packet's data, a datagram's UDP payload, a stock frame, an inner packet; 0 where there are none.
    var size: Int
    /// Packets, operations or lookups a second; 0 where only times count.
    var pps: Double
    /// Of the bytes in `size`.
    var gbps: Double
    /// Nanoseconds of CPU, of the nodes under test or of the operation.
    var cpuNanosecondsPerPacket: Double
    /// Share of what was sent that did not arrive, 0 to 1.
    var loss: Double
    /// Packets that the nodes under test dropped and counted.
    var drops: UInt64
    var details: [(key: String, value: Value)] = []
    /// One line for the table: what to know when reading the figures.
    var note = ""
}
