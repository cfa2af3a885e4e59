// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that users of Pathwise never resolve or build it.
let package = Package(
    name: "pathwise-benchmarks",
    dependencies: [.package(name: "pathwise", path: "..")],
    targets: [
        .executableTarget(
            name: "PathwiseBenchmarks",
            dependencies: [.product(name: "PathwiseRooms", package: "pathwise")],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("InternalImportsByDefault"),
                .enableUpcomingFeature("MemberImportVisibility"),
            ])
    ],
    swiftLanguageModes: [.v6]
)
