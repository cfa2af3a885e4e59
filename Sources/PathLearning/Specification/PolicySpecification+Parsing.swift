import PathTelemetry

extension PolicySpecification {
    /// From a name with optional parameters after a colon.
    public init(parsing text: String) throws(LearningError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        let parameters = parts.count > 1 ? String(parts[1]) : ""
        if let rule = LinearBanditSettings.Rule(rawValue: name) {
            self = .linear(try LinearBanditSettings(rule).reading(parameters, policy: name))
            return
        }
        switch name {
        case "single":
            self = .single(try PolicySpecification.path(parameters))
        case "weighted":
            self = .weighted(try WeightedSettings().reading(parameters, policy: name))
        case "ecf": self = .ecf(try ECFSettings().reading(parameters, policy: name))
        case "blest": self = .blest(try BLESTSettings().reading(parameters, policy: name))
        case "backup": self = .backup(try BackupSettings().reading(parameters, policy: name))
        case "reinject":
            self = .reinject(try ReinjectSettings().reading(parameters, policy: name))
        case "ols": self = .ols(try OLSSettings().reading(parameters, policy: name))
        case "prune": self = .prune(try PruneSettings().reading(parameters, policy: name))
        case "exp3": self = .exp3(try ExponentialSettings().reading(parameters, policy: name))
        case "exp4": self = .exp4(try ExponentialSettings().reading(parameters, policy: name))
        case "peekaboo": self = .peekaboo(try PeekabooSettings().reading(parameters, policy: name))
        case "falcon": self = .falcon(try FalconSettings().reading(parameters, policy: name))
        case "lin-ucb": self = .linUCB(try LinUCBSettings().reading(parameters, policy: name))
        case "learned": self = .learned(try LearnedSettings().reading(parameters, policy: name))
        default:
            self = try PolicySpecification.plain(name)
            guard parameters.isEmpty else {
                let parameter =
                    parameters.split(separator: "=").first.map(String.init) ?? parameters
                throw .unknownParameter(policy: name, parameter: parameter, known: [])
            }
        }
    }

    /// The policies without parameters.
    private static func plain(_ name: String) throws(LearningError) -> PolicySpecification {
        switch name {
        case "round-robin": return .roundRobin
        case "min-rtt": return .minRTT
        case "earliest": return .earliest
        case "steady": return .steady
        case "redundant": return .redundant
        default: throw .unknownPolicy(name: name, suggestion: nearest(to: name))
        }
    }

    private static func path(_ text: String) throws(LearningError) -> PathReference {
        if text.isEmpty { return .number(PathID(0)) }
        guard text.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }) else { return .name(text) }
        guard let number = Int(text), number < PathID.limit else {
            throw .invalidValue(
                policy: "single", parameter: "path", value: text,
                expected: "a path's name or a number below \(PathID.limit)")
        }
        return .number(PathID(number))
    }

    /// The known name with the least edit distance, if it is near.
    private static func nearest(to name: String) -> String? {
        guard name.utf8.count <= 32 else { return nil }
        let ranked = catalogue.map { ($0.name, editDistance(name, $0.name)) }
        guard let best = ranked.min(by: { $0.1 < $1.1 }) else { return nil }
        return best.1 <= max(2, best.0.utf8.count / 3) ? best.0 : nil
    }

    /// Levenshtein distance, over bytes.
    private static func editDistance(_ left: String, _ right: String) -> Int {
        let right = Array(right.utf8)
        var row = Array(0...right.count)
        for (i, byte) in left.utf8.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for j in 0..<right.count {
                let substituted = diagonal + (byte == right[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substituted, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[right.count]
    }
}
