import Foundation
import HyphaBase
import TestVectors

/// The entries of Tests/Vectors/hl1.json of one kind.
struct WireVector {
    let name: String
    let inputs: [String: Any]
    /// The output where it is one byte string, else empty.
    let output: [UInt8]
    /// Outputs by name, where there are several.
    let outputs: [String: [UInt8]]
    let fields: [String: Any]
    let verdict: String

    /// Bytes of a hex input.
    func bytes(_ key: String) -> [UInt8]? { (inputs[key] as? String).flatMap { Hex.decode($0) } }
    func number(_ key: String) -> Int? { inputs[key] as? Int }

    static func all(kind: String) throws -> [WireVector] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Vectors/hl1.json")
        let document = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any]
        let entries = document?["entries"] as? [[String: Any]] ?? []
        return entries.compactMap { entry in
            guard entry["kind"] as? String == kind, let name = entry["name"] as? String else { return nil }
            var outputs: [String: [UInt8]] = [:]
            for (key, value) in entry["output"] as? [String: Any] ?? [:] {
                outputs[key] = (value as? String).flatMap { Hex.decode($0) }
            }
            for (i, value) in (entry["output"] as? [String] ?? []).enumerated() {
                outputs["\(i)"] = Hex.decode(value)
            }
            return WireVector(
                name: name, inputs: entry["inputs"] as? [String: Any] ?? [:],
                output: (entry["output"] as? String).flatMap { Hex.decode($0) } ?? [], outputs: outputs,
                fields: entry["fields"] as? [String: Any] ?? [:], verdict: entry["verdict"] as? String ?? "")
        }
    }
}

extension Seed {
    /// `count` random bytes.
    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }

    /// A number below `limit`.
    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
}
