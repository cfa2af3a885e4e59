public import PathTelemetry

/// Which path a policy means: by number, or by a name to be resolved by whoever knows the names.
public enum PathReference: Hashable, Sendable {
    case number(PathID)
    case name(String)
}

/// A policy by name, with its parameters: what `--policy` says.
///
///     steady
///     single:lte          single:0
///     lin-ucb:alpha=0.5,half-life=10
public enum PolicySpecification: Hashable, Sendable {
    case single(PathReference)
    case roundRobin
    case weighted
    case minRTT
    case earliest
    case steady
    case redundant
    case linUCB(LinUCBSettings)
    /// The learned policy of this version: lin-ucb that starts from a model's prior.
    case learned(LinUCBSettings)

    /// All policies with one line each, for help texts.
    public static let catalogue: [(name: String, summary: String)] = [
        ("single", "one path, by name or number: single:lte"),
        ("round-robin", "the paths in turn"),
        ("weighted", "at random in proportion to the weights of --path"),
        ("min-rtt", "the lowest smoothed RTT with room in its window"),
        ("earliest", "the earliest predicted arrival"),
        ("steady", "lowest RTT, aware of silence, moves only for a clear gain"),
        ("redundant", "a copy on every path"),
        ("lin-ucb", "learns the error of the predicted arrival, linear model with optimism"),
        ("learned", "lin-ucb starting from a trained model (the default)"),
    ]

    /// The name in tables, traces and `--policy`.
    public var name: String {
        switch self {
        case .single: "single"
        case .roundRobin: "round-robin"
        case .weighted: "weighted"
        case .minRTT: "min-rtt"
        case .earliest: "earliest"
        case .steady: "steady"
        case .redundant: "redundant"
        case .linUCB: "lin-ucb"
        case .learned: "learned"
        }
    }

    /// From a name with optional parameters after a colon.
    public init(parsing text: String) throws(LearningError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        let parameters = parts.count > 1 ? String(parts[1]) : ""
        if name == "single" {
            self = .single(try PolicySpecification.path(parameters))
            return
        }
        if name == "lin-ucb" {
            self = .linUCB(try LinUCBSettings(parsing: parameters, policy: name))
            return
        }
        if name == "learned" {
            self = .learned(try LinUCBSettings(parsing: parameters, policy: name))
            return
        }
        let plain: [PolicySpecification] = [
            .roundRobin, .weighted, .minRTT, .earliest, .steady, .redundant,
        ]
        guard let found = plain.first(where: { $0.name == name }) else {
            throw .unknownPolicy(name: name, suggestion: PolicySpecification.nearest(to: name))
        }
        guard parameters.isEmpty else {
            let parameter = parameters.split(separator: "=").first.map(String.init) ?? parameters
            throw .unknownParameter(policy: name, parameter: parameter, known: [])
        }
        self = found
    }

    /// The same with a path's name replaced by its number.
    ///
    /// - Parameter names: names of the paths; the position is the number.
    public func resolved(names: [String]) throws(LearningError) -> PolicySpecification {
        guard case .single(.name(let wanted)) = self else { return self }
        guard let index = names.firstIndex(of: wanted), index < PathID.limit else {
            throw .unknownPath(name: wanted, known: names)
        }
        return .single(.number(PathID(index)))
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
