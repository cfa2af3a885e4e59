/// The targets of Package.swift and their dependencies, read from its text.
struct Manifest {
    struct Target: Equatable {
        enum Kind: String, CaseIterable {
            case systemLibrary, target, executableTarget, testTarget
        }
        var name: String
        var kind: Kind
        var dependencies: [String]
    }

    let targets: [Target]

    /// Reads `.target(name: "X", dependencies: [...])` and similar.
    ///
    /// A dependency is a string, or a constant of the form `let x: Target.Dependency =
    /// .product(name: "Module", ...)`.
    init(_ source: String) {
        let products = Manifest.products(source)
        var found: [(position: String.Index, target: Target)] = []
        for kind in Target.Kind.allCases {
            var from = source.startIndex
            while let range = source[from...].firstRange(of: ".\(kind.rawValue)(") {
                from = range.upperBound
                let call = Manifest.balanced(source[range.upperBound...], "(", ")")
                guard let name = Manifest.strings(after: "name:", in: call).first else { continue }
                var dependencies: [String] = []
                if let list = call.firstRange(of: "dependencies: [") {
                    let text = Manifest.balanced(call[list.upperBound...], "[", "]")
                    for item in text.split(separator: ",") {
                        let word = item.drop { $0.isWhitespace }.prefix { !$0.isWhitespace }
                        if word.hasPrefix("\"") {
                            dependencies.append(String(word.dropFirst().dropLast()))
                        } else if let product = products[String(word)] {
                            dependencies.append(product)
                        }
                    }
                }
                let target = Target(name: name, kind: kind, dependencies: dependencies)
                found.append((range.lowerBound, target))
            }
        }
        targets = found.sorted { $0.position < $1.position }.map(\.target)
    }

    func target(_ name: String) -> Target? { targets.first { $0.name == name } }

    /// The text up to the bracket that closes the one opened just before it.
    private static func balanced(
        _ text: Substring, _ open: Character, _ close: Character
    ) -> Substring {
        var depth = 1
        for index in text.indices {
            if text[index] == open { depth += 1 }
            if text[index] == close { depth -= 1 }
            if depth == 0 { return text[..<index] }
        }
        return text
    }

    /// The string literal after a label.
    private static func strings(after label: String, in text: Substring) -> [String] {
        guard let range = text.firstRange(of: label) else { return [] }
        let parts = text[range.upperBound...].split(
            separator: "\"", maxSplits: 2, omittingEmptySubsequences: false)
        return parts.count > 1 ? [String(parts[1])] : []
    }

    /// Constants of the form `let x: Target.Dependency = .product(name: "Module", ...)`.
    private static func products(_ source: String) -> [String: String] {
        let mark = ": Target.Dependency = .product("
        var result: [String: String] = [:]
        var from = source.startIndex
        while let range = source[from...].firstRange(of: mark) {
            let name = source[..<range.lowerBound].reversed().prefix { $0 != " " }.reversed()
            let call = balanced(source[range.upperBound...], "(", ")")
            result[String(name)] = strings(after: "name:", in: call).first
            from = range.upperBound
        }
        return result
    }
}
