import Foundation
import Testing

/// Which room may name which: the rule that keeps the data plane, the control plane and the kernel apart.
@Suite struct ImportTests {
    /// Complete lists, beside the standard library. A room imports lower levels only.
    static let allowed: [String: Set<String>] = [
        "HyphaBase": [],
        "HyphaPacket": ["HyphaBase"],
        "HyphaWire": ["HyphaBase"],
        "HyphaFIB": ["HyphaBase", "HyphaWire"],
        "HyphaRouting": ["HyphaBase", "HyphaWire"],
        "HyphaSession": ["HyphaBase", "HyphaPacket", "HyphaWire", "CAEAD", "CSodium"],
        "HyphaInterchange": ["HyphaBase", "HyphaPacket", "HyphaWire", "HyphaFIB", "HyphaSession"],
        "HyphaIdentity": ["HyphaBase", "HyphaWire", "HyphaSession", "CAEAD", "CSodium"],
        "HyphaRim": ["HyphaBase", "HyphaPacket", "HyphaWire", "CKernel", "CUring", "Glibc"],
        "HyphaDataplane": [
            "HyphaBase", "HyphaPacket", "HyphaWire", "HyphaFIB", "HyphaSession", "HyphaStreams", "HyphaInterchange",
            "CAEAD",
        ],
        "HyphaStreams": ["HyphaBase", "HyphaPacket", "HyphaWire"],
        "HyphaControl": [
            "HyphaBase", "HyphaPacket", "HyphaWire", "HyphaFIB", "HyphaSession", "HyphaIdentity", "HyphaInterchange",
            "HyphaRouting",
        ],
        "HyphaSimulator": ["HyphaBase", "HyphaWire", "HyphaRouting"],
        // Whole nodes, as the program makes them, but for the kernel. Glibc: zeroed memory.
        "HyphaNodeSimulator": [
            "HyphaBase", "HyphaPacket", "HyphaFIB", "HyphaSession", "HyphaInterchange", "HyphaIdentity", "HyphaRouting",
            "HyphaDataplane", "HyphaControl", "HyphaSimulator", "CAEAD", "Glibc",
        ],
        "hypha-sim": ["HyphaSimulator", "HyphaNodeSimulator", "Glibc"],
        "hypha": [
            "HyphaBase", "HyphaPacket", "HyphaWire", "HyphaFIB", "HyphaSession", "HyphaInterchange", "HyphaIdentity",
            "HyphaRim", "HyphaRouting", "HyphaDataplane", "HyphaControl", "CAEAD", "CKernel", "CSodium", "CToml",
            "FoundationEssentials",
            "Glibc",
        ],
    ]
    static let standardLibrary: Set<String> = ["Swift", "Synchronization"]

    /// Modules that a file imports.
    static func imports(_ file: ProjectTree.File) -> [String] {
        file.code.split(separator: "\n").compactMap { line in
            var words = line.split(separator: " ")[...]
            while let first = words.first,
                first.hasPrefix("@") || ["public", "internal", "package", "private", "fileprivate"].contains(first)
            {
                words.removeFirst()
            }
            guard words.first == "import" else { return nil }
            words.removeFirst()
            let kinds = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
            if let kind = words.first, kinds.contains(String(kind)) { words.removeFirst() }
            return words.first?.split(separator: ".").first.map(String.init)
        }
    }

    @Test func everyRoomHasARule() {
        let rooms = ProjectTree.folders(in: "Sources")
        #expect(rooms.count >= 11)
        for room in rooms { #expect(Self.allowed[room] != nil, "\(room) is not in the import table") }
    }

    @Test(arguments: allowed.keys.sorted())
    func roomsImportOnlyWhatTheTableAllows(room: String) throws {
        let may = try #require(Self.allowed[room]).union(Self.standardLibrary)
        let files = ProjectTree.files(in: "Sources/\(room)")
        #expect(!files.isEmpty, "\(room) is empty")
        for file in files {
            for module in Self.imports(file) {
                #expect(may.contains(module), "\(file.path) imports \(module)")
            }
        }
    }

    @Test func thePlanesMeetInTheInterchangeOnly() {
        // Both of these make whole nodes.
        for room in ProjectTree.folders(in: "Sources") where !["hypha", "HyphaNodeSimulator"].contains(room) {
            let modules = Set(ProjectTree.files(in: "Sources/\(room)").flatMap(Self.imports))
            let planes = modules.intersection(["HyphaDataplane", "HyphaControl", "HyphaRim"])
            #expect(planes.isEmpty, "\(room) imports \(planes.sorted())")
        }
    }

    /// Neither the packet path nor the protocol may pull in Foundation; measuring programs need it as little.
    @Test func noFoundation() {
        for file in ProjectTree.files(in: "Sources") + ProjectTree.files(in: "Bench") {
            let foundation = Self.imports(file).filter { $0.hasPrefix("Foundation") }
            let may: Set<String> = file.path.hasPrefix("Sources/hypha/") ? ["FoundationEssentials"] : []
            #expect(may.isSuperset(of: foundation), "\(file.path) imports \(foundation)")
        }
    }

    @Test func importLinesAreRecognised() {
        let text = """
            import A
            public import B
            @testable import C
              internal import struct D.Inner
            // import E
            /* import F */
            let text = "import G"
            """
        #expect(Self.imports(ProjectTree.File(path: "x.swift", text: text)) == ["A", "B", "C", "D"])
    }
}
