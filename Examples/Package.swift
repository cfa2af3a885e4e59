// swift-tools-version: 6.2
import PackageDescription

// Two programs that use the library like any other. `make examples` builds and runs them.
let package = Package(
    name: "examples",
    dependencies: [.package(name: "pathwise", path: "..")],
    targets: [
        .executableTarget(
            name: "Messages", dependencies: [.product(name: "Pathwise", package: "pathwise")]),
        .executableTarget(
            name: "CustomPolicy", dependencies: [.product(name: "Pathwise", package: "pathwise")]),
    ],
    swiftLanguageModes: [.v6]
)
