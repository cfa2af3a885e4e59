// swift-tools-version: 6.2
import PackageDescription

// A separate package, so that users of Pathwise never resolve or build it.
let package = Package(
    name: "evaluation-benchmarks",
    dependencies: [.package(name: "pathwise", path: "../..")],
    targets: [
        .executableTarget(
            name: "EvaluationBenchmarks",
            dependencies: [.product(name: "PathwiseRooms", package: "pathwise")],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("InternalImportsByDefault"),
                .enableUpcomingFeature("MemberImportVisibility"),
            ])
    ],
    swiftLanguageModes: [.v6]
)
