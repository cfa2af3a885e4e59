public import PathTelemetry

/// The path that a policy uses: by number, or by a name that is resolved later.
public enum PathReference: Hashable, Sendable {
    case number(PathID)
    case name(String)
}

/// The parameter of single: its path, as `single:lte` or `single:0`.
public struct SingleSettings: PolicySettings {
    public var path: PathReference

    public init(_ path: PathReference = .number(PathID(0))) { self.path = path }

    public var fields: [PolicyField<SingleSettings>] { [] }

    /// Reads the path from a text; an empty text keeps the present one.
    public func reading(_ text: String, policy: String) throws(LearningError) -> SingleSettings {
        if text.isEmpty { return self }
        guard text.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }) else {
            return SingleSettings(.name(text))
        }
        guard let number = Int(text), number < PathID.limit else {
            throw .invalidValue(
                policy: policy, parameter: "path", value: text,
                expected: "a path's name or a number below \(PathID.limit)")
        }
        return SingleSettings(.number(PathID(number)))
    }

    /// The text always contains the path.
    public func text(against defaults: SingleSettings) -> String {
        switch path {
        case .number(let number): "\(number.rawValue)"
        case .name(let name): name
        }
    }

    /// The settings with the path's number instead of its name.
    public func resolved(names: [String]) throws(LearningError) -> SingleSettings? {
        guard case .name(let wanted) = path else { return nil }
        guard let index = names.firstIndex(of: wanted), index < PathID.limit else {
            throw .unknownPath(name: wanted, known: names.filter { !$0.isEmpty })
        }
        return SingleSettings(.number(PathID(index)))
    }
}

/// Uses one path that the user named; the first candidate while that path is not usable.
struct SinglePolicy: Policy {
    var path: PathID

    init(path: PathID) { self.path = path }

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        let found = candidates.index(of: path)
        distribution.choose(found ?? 0, among: candidates)
    }

    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        candidate.path == path ? 0 : 1
    }
}

extension SinglePolicy {
    static let descriptor = PolicyDescriptor(
        "single", "one path, by name or number: single:lte", settings: SingleSettings(),
        needs: { settings in
            PolicyNeeds().with {
                if case .number(let path) = settings.path { $0.boundPath = path }
            }
        }
    ) { settings, _ throws(LearningError) in
        switch settings.path {
        case .number(let path): SinglePolicy(path: path)
        case .name(let name): throw .unknownPath(name: name, known: [])
        }
    }
}

extension PolicySpecification {
    /// Only one path.
    public static func single(_ path: PathReference) -> PolicySpecification {
        SinglePolicy.descriptor.specification(SingleSettings(path))
    }
}
