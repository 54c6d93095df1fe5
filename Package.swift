// swift-tools-version: 6.2
import PackageDescription

// Settings of every Swift target. Warnings are errors: the build has none.
let common: [SwiftSetting] = {
    var settings: [SwiftSetting] = [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .treatAllWarnings(as: .error),
    ]
    #if arch(x86_64)
        // popcnt: the prefix trie counts bits on every step.
        settings.append(.unsafeFlags(["-Xcc", "-march=x86-64-v2"]))
    #endif
    return settings
}()

// Rooms that only handle values. The other rooms own packet memory and are unsafe by nature.
let memorySafe: [SwiftSetting] = common + [.strictMemorySafety()]

#if arch(x86_64)
    let aeadLibraries: [LinkerSetting] = [
        .linkedLibrary("IPSec_MB"), .linkedLibrary("sodium"), .linkedLibrary("crypto"),
    ]
#else
    let aeadLibraries: [LinkerSetting] = [.linkedLibrary("sodium"), .linkedLibrary("crypto")]
#endif

let package = Package(
    name: "hypha",
    products: [
        .executable(name: "hypha", targets: ["hypha"]),
        .executable(name: "hypha-bench", targets: ["hypha-bench"]),
        .executable(name: "hypha-sim", targets: ["hypha-sim"]),
    ],
    targets: [
        // Level 0
        .systemLibrary(name: "CUring", path: "CShims/CUring"),
        .systemLibrary(name: "CSodium", path: "CShims/CSodium"),
        .target(name: "CKernel", path: "CShims/CKernel", cSettings: [.unsafeFlags(["-O2"])]),
        .target(
            name: "CAEAD", path: "CShims/CAEAD", cSettings: [.unsafeFlags(["-O2"])],
            linkerSettings: aeadLibraries),
        .target(
            name: "CToml", path: "CShims/CToml",
            cxxSettings: [.unsafeFlags(["-std=c++17", "-O1", "-fno-exceptions", "-fno-rtti"])]),
        .target(name: "CAllocHook", path: "CShims/CAllocHook"),
        .target(name: "CBench", path: "CShims/CBench", cSettings: [.unsafeFlags(["-O2"])]),
        .target(name: "HyphaBase", swiftSettings: common),
        // Level 1
        .target(name: "HyphaPacket", dependencies: ["HyphaBase"], swiftSettings: common),
        .target(name: "HyphaWire", dependencies: ["HyphaBase"], swiftSettings: common),
        // Level 2
        .target(name: "HyphaFIB", dependencies: ["HyphaBase", "HyphaWire"], swiftSettings: common),
        .target(
            name: "HyphaSession",
            dependencies: ["HyphaBase", "HyphaPacket", "HyphaWire", "CAEAD", "CSodium"],
            swiftSettings: common),
        .target(name: "HyphaRouting", dependencies: ["HyphaBase", "HyphaWire"], swiftSettings: memorySafe),
        // Level 3
        .target(
            name: "HyphaInterchange",
            dependencies: ["HyphaBase", "HyphaPacket", "HyphaWire", "HyphaFIB", "HyphaSession"],
            swiftSettings: common),
        .target(
            name: "HyphaIdentity",
            dependencies: ["HyphaBase", "HyphaWire", "HyphaSession", "CAEAD", "CSodium"],
            swiftSettings: common),
        .target(
            name: "HyphaStreams", dependencies: ["HyphaBase", "HyphaPacket", "HyphaWire"], swiftSettings: common),
        // Level 4
        .target(
            name: "HyphaRim",
            dependencies: ["HyphaBase", "HyphaPacket", "HyphaWire", "CKernel", "CUring"],
            swiftSettings: common),
        .target(
            name: "HyphaDataplane",
            dependencies: [
                "HyphaBase", "HyphaPacket", "HyphaWire", "HyphaFIB", "HyphaSession", "HyphaStreams", "HyphaInterchange",
            ],
            swiftSettings: common),
        .target(
            name: "HyphaControl",
            dependencies: [
                "HyphaBase", "HyphaPacket", "HyphaWire", "HyphaFIB", "HyphaSession", "HyphaIdentity",
                "HyphaInterchange", "HyphaRouting",
            ],
            swiftSettings: common),
        // Level 5
        .target(
            name: "HyphaSimulator", dependencies: ["HyphaBase", "HyphaWire", "HyphaRouting"], swiftSettings: memorySafe),
        // Level 6
        .target(
            name: "HyphaNodeSimulator",
            dependencies: [
                "HyphaBase", "HyphaPacket", "HyphaFIB", "HyphaSession", "HyphaInterchange", "HyphaIdentity",
                "HyphaRouting", "HyphaDataplane", "HyphaControl", "HyphaSimulator", "CAEAD",
            ],
            swiftSettings: common),
        // Level 7
        .executableTarget(
            name: "hypha-sim", dependencies: ["HyphaSimulator", "HyphaNodeSimulator"], swiftSettings: common),
        .executableTarget(
            name: "hypha",
            dependencies: [
                "HyphaBase", "HyphaPacket", "HyphaWire", "HyphaFIB", "HyphaSession", "HyphaInterchange",
                "HyphaIdentity", "HyphaRim", "HyphaRouting", "HyphaDataplane", "HyphaControl", "CAEAD", "CKernel",
                "CSodium", "CToml",
            ],
            swiftSettings: common),
        .executableTarget(
            name: "hypha-bench",
            dependencies: [
                "HyphaBase", "HyphaPacket", "HyphaWire", "HyphaFIB", "HyphaSession", "HyphaInterchange",
                "HyphaIdentity", "HyphaRim", "HyphaDataplane", "HyphaControl", "HyphaSimulator", "CKernel", "CAEAD",
                "CSodium", "CBench",
            ],
            path: "Bench/hypha-bench",
            swiftSettings: common),
        // Tests mirror the targets.
        .target(name: "TestVectors", dependencies: ["HyphaBase"], path: "Tests/TestVectors", swiftSettings: common),
        .testTarget(name: "HyphaBaseTests", dependencies: ["HyphaBase"], swiftSettings: common),
        .testTarget(name: "HyphaPacketTests", dependencies: ["HyphaPacket", "HyphaBase"], swiftSettings: common),
        .testTarget(
            name: "HyphaWireTests", dependencies: ["TestVectors", "HyphaWire", "HyphaBase"], swiftSettings: common),
        .testTarget(
            name: "HyphaFIBTests", dependencies: ["HyphaFIB", "HyphaWire", "HyphaBase"], swiftSettings: common),
        .testTarget(
            name: "HyphaSessionTests",
            dependencies: [
                "TestVectors",
                "HyphaSession", "HyphaPacket", "HyphaWire", "HyphaBase", "CAEAD", "CSodium", "CAllocHook",
            ],
            swiftSettings: common),
        .testTarget(
            name: "HyphaRoutingTests",
            dependencies: ["TestVectors", "HyphaRouting", "HyphaSimulator", "HyphaIdentity", "HyphaWire", "HyphaBase"],
            swiftSettings: common),
        .testTarget(
            name: "HyphaIdentityTests",
            dependencies: ["TestVectors", "HyphaIdentity", "HyphaSession", "HyphaWire", "HyphaBase", "CSodium"],
            swiftSettings: common),
        .testTarget(
            name: "HyphaDataplaneTests",
            dependencies: [
                "TestVectors",
                "HyphaBase", "HyphaPacket", "HyphaWire", "HyphaFIB", "HyphaSession", "HyphaInterchange",
                "HyphaIdentity", "HyphaDataplane", "HyphaControl", "CAllocHook",
            ],
            swiftSettings: common),
        .testTarget(
            name: "HyphaControlTests",
            dependencies: [
                "HyphaBase", "HyphaPacket", "HyphaWire", "HyphaFIB", "HyphaSession", "HyphaInterchange",
                "HyphaIdentity", "HyphaControl", "HyphaRouting", "HyphaStreams",
            ],
            swiftSettings: common),
        .testTarget(
            name: "HyphaRimTests",
            dependencies: ["HyphaRim", "HyphaPacket", "HyphaWire", "HyphaBase", "CKernel", "CAllocHook"],
            swiftSettings: common),
        // A stock node for the tests: as a value, and as a program with sockets and a TUN.
        .target(
            name: "StockModel", dependencies: ["HyphaBase", "HyphaIdentity", "CAEAD", "CSodium"],
            path: "Tests/StockModel", swiftSettings: common),
        .executableTarget(
            name: "stock-node", dependencies: ["StockModel", "HyphaBase", "CKernel"], path: "Tests/StockNode",
            swiftSettings: common),
        .testTarget(
            name: "StockModelTests", dependencies: ["TestVectors", "StockModel", "HyphaBase"], swiftSettings: common),
        .testTarget(
            name: "HyphaStreamsTests",
            dependencies: [
                "TestVectors", "HyphaStreams", "HyphaPacket", "HyphaWire", "HyphaBase", "CAllocHook", "StockModel",
            ],
            swiftSettings: common),
        .testTarget(
            name: "HyphaTests",
            dependencies: [
                "hypha", "HyphaControl", "HyphaDataplane", "HyphaInterchange", "HyphaRim", "HyphaRouting",
                "HyphaIdentity", "HyphaSession", "HyphaWire", "HyphaBase", "CKernel",
            ],
            swiftSettings: common),
        .testTarget(
            name: "HyphaNodeSimulatorTests", dependencies: ["HyphaNodeSimulator", "HyphaSimulator", "HyphaBase"],
            swiftSettings: common),
        .testTarget(name: "HyphaHouseTests", swiftSettings: common),
        .testTarget(name: "SystemTests", dependencies: ["StockModel", "HyphaBase"], swiftSettings: common),
    ],
    cxxLanguageStandard: .cxx17
)
