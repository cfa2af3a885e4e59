// swift-tools-version: 6.2
import PackageDescription

// A separate package, so that users of Pathwise never resolve or build it.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "pathwise-benchmarks",
    dependencies: [.package(name: "pathwise", path: "..")],
    targets: [
        .executableTarget(
            name: "LearningBenchmarks",
            dependencies: [.product(name: "PathwiseRooms", package: "pathwise")],
            path: "learning",
            exclude: ["peers.py", "run.sh"],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("InternalImportsByDefault"),
                .enableUpcomingFeature("MemberImportVisibility"),
            ]),
        .executableTarget(
            name: "PathwiseBenchmarks",
            dependencies: [.product(name: "PathwiseRooms", package: "pathwise")],
            swiftSettings: settings),
        // Used by forward.sh.
        .executableTarget(
            name: "MessageLatency",
            dependencies: [.product(name: "Pathwise", package: "pathwise")],
            swiftSettings: settings),
        // How late messages over LTE links are, in virtual time: `make -C Benchmarks late`.
        .executableTarget(
            name: "LateMessages",
            dependencies: [.product(name: "PathwiseRooms", package: "pathwise")],
            swiftSettings: settings),
        // Used by transfers.sh.
        .executableTarget(
            name: "HandshakeFlood",
            dependencies: [.product(name: "PathwiseRooms", package: "pathwise")],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
