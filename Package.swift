// swift-tools-version: 6.2
import PackageDescription

/// Settings of every Swift target, after swift-log and SwiftNIO.
let strict: [SwiftSetting] = [
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0335-existential-any.md
    .enableUpcomingFeature("ExistentialAny"),
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0409-access-level-on-imports.md
    .enableUpcomingFeature("InternalImportsByDefault"),
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0444-member-import-visibility.md
    .enableUpcomingFeature("MemberImportVisibility"),
]

let argumentParser: Target.Dependency = .product(
    name: "ArgumentParser", package: "swift-argument-parser")
let histogram: Target.Dependency = .product(name: "Histogram", package: "hdrhistogram-swift")

let package = Package(
    name: "pathwise",
    products: [
        .library(name: "Pathwise", targets: ["Pathwise"]),
        // The rooms one by one, for Benchmarks/ and for tools: no promise of stability.
        .library(
            name: "PathwiseRooms",
            targets: [
                "DenseMath", "PathTelemetry", "PathLearning", "PathTransport", "PathTrace",
                "PathSimulation", "PathEvaluation", "PathTraining", "PathReport", "PathNetwork",
            ]),
        .executable(name: "pathwise", targets: ["PathwiseCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        // System libraries and thin C shims.
        .systemLibrary(
            name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(
            name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(
            name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .target(name: "CCrypto", dependencies: ["CLibCrypto"]),
        .target(name: "CLinuxUDP"),
        .target(name: "CLinuxFile"),
        .target(name: "CKernels", linkerSettings: [.linkedLibrary("m")]),

        // The rooms, lowest first. A room imports only rooms above it in this list
        // that it names here; Tests/ArchitectureTests holds the sources to it. A room whose values
        // contain those of another names that one too, though it imports only what is between: an
        // incremental build looks at named targets alone, and would keep objects of an old layout.
        .target(name: "DenseMath", dependencies: ["COpenBLAS", "CKernels"]),
        .target(name: "PathTelemetry", dependencies: ["CKernels"]),
        .target(
            name: "PathLearning", dependencies: ["CKernels", "DenseMath", "PathTelemetry"]),
        .target(
            name: "PathTransport",
            dependencies: ["CCrypto", "PathTelemetry", "PathLearning", histogram]),
        .target(name: "PathTrace", dependencies: ["CSQLite", "PathTelemetry", "PathLearning"]),
        .target(
            name: "PathSimulation",
            dependencies: ["PathTelemetry", "PathLearning", "PathTransport", "PathTrace"]),
        .target(
            name: "PathEvaluation",
            dependencies: [
                "CKernels", "DenseMath", "PathTelemetry", "PathLearning", "PathTrace",
            ]),
        .target(
            name: "PathTraining",
            dependencies: ["DenseMath", "PathTelemetry", "PathLearning", "PathTrace"]),
        .target(
            name: "PathReport",
            dependencies: ["PathTelemetry", "PathLearning", "PathTrace", "PathEvaluation"]),
        .target(
            name: "PathNetwork",
            dependencies: ["CLinuxUDP", "PathTelemetry", "PathLearning", "PathTransport"],
            swiftSettings: [.strictMemorySafety()]),
        .target(
            name: "PathEmulation",
            dependencies: [
                "PathTelemetry", "PathLearning", "PathTransport", "PathSimulation", "PathNetwork",
            ]),
        .target(
            name: "Pathwise",
            dependencies: [
                "CLinuxFile", "PathTelemetry", "PathLearning", "PathTransport", "PathTrace",
                "PathEvaluation", "PathNetwork", histogram,
            ]),
        .target(
            name: "PathForward",
            dependencies: [
                "CLinuxUDP", "Pathwise", "PathTelemetry", "PathLearning", "PathTransport",
                "PathTrace", "PathNetwork",
            ]),
        .target(
            name: "PathWatch",
            dependencies: ["PathTelemetry", "PathTransport", "PathNetwork"],
            resources: [.embedInCode("page.html")]),
        .target(
            name: "PathWorlds",
            dependencies: [
                "Pathwise", "PathTelemetry", "PathLearning", "PathTransport", "PathTrace",
                "PathSimulation", "PathEvaluation", "PathReport", "PathNetwork", "PathForward",
            ],
            // A link to datasets/worlds: they are in the binary.
            resources: [.embedInCode("worlds")]),
        .target(
            name: "PathDemo",
            dependencies: [
                "Pathwise", "PathTelemetry", "PathLearning", "PathTransport", "PathTrace",
                "PathSimulation", "PathEvaluation", "PathTraining", "PathReport", "PathNetwork",
                "PathEmulation", "PathWorlds",
            ]),
        .executableTarget(
            name: "PathwiseCommand",
            dependencies: [
                "Pathwise", "PathTelemetry", "PathLearning", "PathTransport", "PathTrace",
                "PathSimulation", "PathEvaluation", "PathTraining", "PathReport", "PathNetwork",
                "PathEmulation", "PathForward", "PathWatch", "PathWorlds", "PathDemo",
                argumentParser,
            ]),

        // Tests: one target a room, and one that holds the sources to the rules.
        .testTarget(name: "ArchitectureTests"),
        .testTarget(name: "DenseMathTests", dependencies: ["DenseMath"]),
        .testTarget(
            name: "PathLearningTests",
            dependencies: ["CKernels", "DenseMath", "PathTelemetry", "PathLearning"]),
        .testTarget(name: "PathTelemetryTests", dependencies: ["PathTelemetry"]),
        .testTarget(
            name: "PathTraceTests",
            dependencies: ["PathTrace", "PathTelemetry", "PathLearning", "CSQLite"],
            exclude: ["Recordings", "Golden"]),
        .testTarget(
            name: "PathEvaluationTests",
            dependencies: [
                "PathEvaluation", "PathTrace", "PathTelemetry", "PathLearning", "PathSimulation",
                "PathTransport",
            ]),
        .testTarget(
            name: "PathTrainingTests",
            dependencies: [
                "PathTraining", "PathTrace", "PathLearning", "PathTelemetry", "DenseMath",
            ]),
        .testTarget(
            name: "PathDemoTests",
            dependencies: [
                "PathDemo", "PathEvaluation", "PathReport", "PathTrace", "PathLearning",
                "PathSimulation", "PathTelemetry", "PathWorlds", "Pathwise",
            ]),
        .testTarget(
            name: "PathReportTests",
            dependencies: [
                "PathReport", "PathEvaluation", "PathTrace", "PathLearning", "PathTelemetry",
            ],
            exclude: ["Golden"]),
        .testTarget(
            name: "PathTransportTests",
            dependencies: ["PathTransport", "PathTelemetry", "PathLearning"]),
        .testTarget(
            name: "PathWorldsTests",
            dependencies: [
                "PathTelemetry", "PathLearning", "PathTransport", "PathSimulation",
                "PathTrace", "PathEvaluation", "PathReport", "PathWorlds",
            ]),
        .testTarget(
            name: "PathSimulationTests",
            dependencies: [
                "DenseMath", "PathSimulation", "PathTelemetry", "PathLearning", "PathTransport",
            ],
            exclude: ["Golden"]),
        .testTarget(
            name: "PathEmulationTests",
            dependencies: [
                "PathEmulation", "PathNetwork", "PathSimulation", "PathTransport", "PathLearning",
                "PathTelemetry",
            ]),
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "CSQLite", "DenseMath", "PathwiseCommand", "Pathwise", "PathForward", "PathWatch",
                "PathDemo", "PathNetwork", "PathTrace", "PathTransport", "PathSimulation",
                "PathEvaluation",
                "PathTraining",
                "PathReport", "PathLearning", "PathTelemetry",
            ],
            exclude: ["Golden"]),
        .testTarget(
            name: "PathwiseTests",
            dependencies: [
                "Pathwise", "PathNetwork", "PathTransport", "PathTrace", "PathEvaluation",
                "PathLearning",
                "PathTelemetry", "DenseMath", "CSQLite",
            ]),
        .testTarget(
            name: "PathForwardTests",
            dependencies: [
                "PathForward", "Pathwise", "PathNetwork", "PathTransport", "PathTrace",
                "PathLearning", "PathTelemetry", "CLinuxUDP",
            ]),
        .testTarget(
            name: "PathWatchTests", dependencies: ["PathWatch", "PathTelemetry", "PathTransport"]),
        .testTarget(
            name: "PathNetworkTests",
            dependencies: ["PathNetwork", "PathTransport", "PathLearning", "PathTelemetry"]),
    ],
    swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .system && target.type != .plugin {
    target.swiftSettings = (target.swiftSettings ?? []) + strict
}
