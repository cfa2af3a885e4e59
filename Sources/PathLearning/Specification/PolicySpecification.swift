import PathTelemetry

/// A policy by name, with its parameters, as `--policy` takes it.
///
///     steady
///     single:lte          single:0
///     lin-ucb:alpha=0.5,half-life=10
///
/// `init(parsing:)` parses that text and `description` writes it without default parameters.
public struct PolicySpecification: Hashable, Sendable, CustomStringConvertible {
    /// The name in tables, traces and `--policy`.
    public let name: String
    /// The parameters that differ from the defaults, as text.
    public let parameters: String
    /// What the policy needs from its host.
    public let needs: PolicyNeeds
    /// Makes the policy.
    let make: @Sendable (PolicyMaterials) throws(LearningError) -> PolicyCell
    private let resolve: @Sendable (_ names: [String]) throws(LearningError) -> PolicySpecification?

    init<Settings: PolicySettings>(
        _ descriptor: PolicyDescriptor<Settings>, _ settings: Settings
    ) {
        name = descriptor.name
        parameters = settings.text(against: descriptor.settings)
        needs = descriptor.needs(settings)
        make = { materials throws(LearningError) in try descriptor.make(settings, materials) }
        resolve = { names throws(LearningError) in
            guard let resolved = try settings.resolved(names: names) else { return nil }
            return PolicySpecification(descriptor, resolved)
        }
    }

    /// Parses a name with optional parameters after a colon.
    public init(parsing text: String) throws(LearningError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard let policy = PolicySpecification.catalogue.first(where: { $0.name == name }) else {
            throw .unknownPolicy(
                name: name,
                suggestion: nearestName(
                    to: name, among: PolicySpecification.catalogue.map(\.name)))
        }
        self = try policy.specify(parts.count > 1 ? String(parts[1]) : "")
    }

    /// The text that `init(parsing:)` turns into this specification: the name, and the parameters
    /// that differ from the defaults.
    public var description: String { parameters.isEmpty ? name : "\(name):\(parameters)" }

    /// The same with a path's name replaced by its number.
    ///
    /// - Parameter names: names of the paths, indexed by path number.
    public func resolved(names: [String]) throws(LearningError) -> PolicySpecification {
        try resolve(names) ?? self
    }

    public static func == (left: PolicySpecification, right: PolicySpecification) -> Bool {
        left.name == right.name && left.parameters == right.parameters
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(name)
        hasher.combine(parameters)
    }
}

/// The name with the least edit distance, if it is close enough.
func nearestName(to name: String, among names: [String]) -> String? {
    guard name.utf8.count <= 32 else { return nil }
    let ranked = names.map { ($0, editDistance(name, $0)) }
    guard let best = ranked.min(by: { $0.1 < $1.1 }) else { return nil }
    return best.1 <= max(2, best.0.utf8.count / 3) ? best.0 : nil
}

/// Levenshtein distance, over bytes.
private func editDistance(_ left: String, _ right: String) -> Int {
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
