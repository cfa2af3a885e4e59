/// Errors of this room; the description says what was tried and how to fix it.
public enum LearningError: Error, Equatable, Sendable, CustomStringConvertible {
    /// No policy has this name; `suggestion` is the nearest one.
    case unknownPolicy(name: String, suggestion: String?)
    /// The policy has no such parameter; `known` are its parameters.
    case unknownParameter(policy: String, parameter: String, known: [String])
    /// A parameter's value does not parse or is out of its range.
    case invalidValue(policy: String, parameter: String, value: String, expected: String)
    /// A policy names a path that does not exist.
    case unknownPath(name: String, known: [String])
    /// The policy cannot be in the shadow of another one.
    case notForShadow(policy: String)
    /// The model file cannot be used.
    case model(file: String, problem: ModelProblem)
    /// There is too little usable data to train on.
    case training(String)

    public var description: String {
        switch self {
        case .unknownPolicy(let name, let suggestion):
            let hint = suggestion.map { "did you mean \"\($0)\"?" } ?? "policies: \(Self.policies)"
            return "there is no policy \"\(name)\": \(hint)"
        case .unknownParameter(let policy, let parameter, let known):
            let hint = known.isEmpty ? "it takes none" : "it takes \(known.joined(separator: ", "))"
            return "policy \(policy) has no parameter \"\(parameter)\": \(hint)"
        case .invalidValue(let policy, let parameter, let value, let expected):
            return "policy \(policy): \(parameter)=\(value) is not usable: give \(expected)"
        case .unknownPath(let name, let known):
            let hint =
                known.isEmpty ? "no path has a name" : "paths are \(known.joined(separator: ", "))"
            return "there is no path \"\(name)\": \(hint)"
        case .notForShadow(let policy):
            return "policy \(policy) cannot be in the shadow: it names a path, or asks for other "
                + "candidates or copies than the policy that decides; choose another one, or a model"
        case .model(let file, let problem):
            return "model \(file): \(problem)"
        case .training(let problem):
            return "training: \(problem)"
        }
    }

    private static var policies: String {
        PolicySpecification.catalogue.map(\.name).joined(separator: ", ")
    }
}

/// Why a model file is refused.
public enum ModelProblem: Error, Equatable, Sendable, CustomStringConvertible {
    /// A system call failed: what was tried, and the system's text for the error.
    case system(operation: String, reason: String)
    /// The file ends before what its header claims.
    case truncated(expected: UInt64, actual: UInt64)
    /// The file is larger than any model of this program.
    case oversized(what: String, size: UInt64, limit: UInt64)
    /// The file is not safetensors, or its header breaks the rules.
    case malformed(String)
    /// The file is safetensors, but not a model of this program.
    case notAModel(String)
    /// The model was trained on other features than those of this program.
    case wrongSchema(expected: String, actual: String)
    /// A number is infinite or NaN.
    case nonFinite(tensor: String)

    public var description: String {
        switch self {
        case .system(let operation, let reason):
            "\(operation): \(reason)"
        case .truncated(let expected, let actual):
            "truncated: \(actual) bytes of \(expected); copy it again from its source"
        case .oversized(let what, let size, let limit):
            "\(what) of \(size) exceeds the limit of \(limit); this is not a model of pathwise"
        case .malformed(let reason):
            "not a valid safetensors file: \(reason); write it again with \"pathwise train\""
        case .notAModel(let reason):
            "safetensors, but not a pathwise model: \(reason); make one with \"pathwise train\""
        case .wrongSchema(let expected, let actual):
            "made for feature schema \(actual), this program has \(expected); "
                + "train again with this version"
        case .nonFinite(let tensor):
            "tensor \"\(tensor)\" holds a number that is not finite; train again"
        }
    }
}
