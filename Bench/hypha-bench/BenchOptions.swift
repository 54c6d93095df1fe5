import Glibc

/// What the command line asks for.
struct BenchOptions {
    /// A benchmark, as it is called on the command line.
    enum Bench: String, CaseIterable {
        case crypto, fib, relay, ihu, tunnel, mesh
    }

    /// Empty: a short sample of all.
    var benches: [Bench] = []
    var sizes: [Int]?
    var transport: Transport = .udp
    /// Congestion control of TCP between a node and stock neighbours, as the kernel calls it.
    var congestion = "reno"
    var mode: SealMode = .header
    var suite: CipherSuite?
    var workers = 1
    var prefixes = 200_000
    /// Kind of leaves of a mesh; nil: both in turn.
    var leaves: MeshBench.Leaves?
    /// Most bytes of packets that the relay's sender seals ahead.
    var maxMemory = 1_288_490_188
    var binary: String?
    var json = false
    var singles = false
    /// The node runs before ordinary programs.
    var nodeFirst = false
    var help = false
    private var givenSeconds: Double?
    private var givenRounds: Int?
    private var givenNodes: Int?

    /// `--seconds`, else the benchmark's own.
    func seconds(_ standard: Double) -> Double { givenSeconds ?? standard }

    /// `--rounds`, else the benchmark's own.
    func rounds(_ standard: Int) -> Int { givenRounds ?? standard }

    /// `--nodes`, else the benchmark's own.
    func nodes(_ standard: Int) -> Int { givenNodes ?? standard }

    /// The same options for the sample: less of everything that was not given.
    var sample: BenchOptions {
        var copy = self
        copy.benches = Bench.allCases
        copy.givenRounds = givenRounds ?? 3
        return copy
    }

    /// Reads the words behind the program's name; throws with what is wrong with them.
    init(_ words: [String]) throws(BenchError) {
        var rest = words[...]
        while let word = rest.popFirst() {
            if !word.hasPrefix("-") {
                guard let bench = Bench(rawValue: word) else { throw .failed("unknown benchmark \"\(word)\"") }
                if !benches.contains(bench) { benches.append(bench) }
                continue
            }
            // Both "--size 64" and "--size=64".
            var name = word
            var attached: String?
            if let equals = word.firstIndex(of: "=") {
                name = String(word[..<equals])
                attached = String(word[word.index(after: equals)...])
            }
            if try !setFlag(name, attached: attached) {
                guard let value = attached ?? rest.popFirst() else { throw .failed("\(name) needs a value") }
                try setValue(name, value)
            }
        }
    }

    /// True when `name` is an option without a value.
    private mutating func setFlag(_ name: String, attached: String?) throws(BenchError) -> Bool {
        switch name {
        case "--json": json = true
        case "--singles": singles = true
        case "--node-first": nodeFirst = true
        case "--help", "-h": help = true
        default: return false
        }
        guard attached == nil else { throw .failed("\(name) takes no value") }
        return true
    }

    private mutating func setValue(_ name: String, _ value: String) throws(BenchError) {
        switch name {
        case "--size":
            var sizes: [Int] = []
            for part in value.split(separator: ",") { sizes.append(try number(name, part, 1...65_535)) }
            guard !sizes.isEmpty else { throw .failed("--size needs a number of bytes") }
            self.sizes = sizes
        case "--seconds":
            guard let seconds = Double(value), seconds > 0, seconds <= 3_600 else {
                throw .failed("--seconds needs a number from above 0 to 3600, not \"\(value)\"")
            }
            givenSeconds = seconds
        case "--transport": transport = try choice(name, value)
        case "--congestion":
            guard !value.isEmpty, value.utf8.allSatisfy({ (97...122).contains($0) }) else {
                throw .failed("\(name) needs a name such as reno, not \"\(value)\"")
            }
            congestion = value
        case "--seal": mode = try choice(name, value)
        case "--suite": suite = try choice(name, value) as CipherSuite
        case "--workers": workers = try number(name, value, 1...64)
        case "--rounds": givenRounds = try number(name, value, 1...1_000)
        case "--prefixes": prefixes = try number(name, value, 1...10_000_000)
        case "--nodes": givenNodes = try number(name, value, 10...10_000)
        case "--leaves": leaves = try choice(name, value) as MeshBench.Leaves
        case "--max-memory": maxMemory = try byteSize(name, value)
        case "--binary": binary = value
        default: throw .failed("unknown option \(name)")
        }
    }

    private func number(_ name: String, _ text: some StringProtocol, _ range: ClosedRange<Int>) throws(BenchError)
        -> Int
    {
        guard let value = Int(text), range.contains(value) else {
            throw .failed("\(name) needs a number from \(range.lowerBound) to \(range.upperBound), not \"\(text)\"")
        }
        return value
    }

    private func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: String, _ text: String
    ) throws(BenchError) -> Choice where Choice.RawValue == String {
        guard let value = Choice(rawValue: text) else {
            let known = Choice.allCases.map(\.rawValue).joined(separator: " or ")
            throw .failed("\(name) is \(known), not \"\(text)\"")
        }
        return value
    }

    /// A number of bytes, with K, M or G for powers of 1024.
    private func byteSize(_ name: String, _ text: String) throws(BenchError) -> Int {
        let shifts: [Character: Int] = ["K": 10, "M": 20, "G": 30]
        let shift = text.last.flatMap { shifts[$0] }
        let limit = 64.0 * 1_073_741_824
        guard let value = Double(shift == nil ? text : String(text.dropLast())) else {
            throw .failed("\(name) needs a size such as 512M, not \"\(text)\"")
        }
        let bytes = value * Double(1 << (shift ?? 0))
        guard bytes >= 1_048_576, bytes <= limit else { throw .failed("\(name) needs a size from 1M to 64G") }
        return Int(bytes)
    }

    /// The program under test: `--binary`, else `hypha` beside this program, else in PATH.
    func findBinary() throws(BenchError) -> String {
        if let binary {
            guard let found = Testbed.find(binary) else {
                throw .failed("--binary \(binary): no such program")
            }
            return found
        }
        var path = [CChar](repeating: 0, count: 4_096)
        let count = readlink("/proc/self/exe", &path, path.count - 1)
        if count > 0 {
            let own = String(decoding: path[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if let slash = own.lastIndex(of: "/"), let found = Testbed.find(own[..<slash] + "/hypha") { return found }
        }
        guard let found = Testbed.find("hypha") else {
            throw .unavailable("no program \"hypha\" beside this one or in PATH: name it with --binary")
        }
        return found
    }
}
