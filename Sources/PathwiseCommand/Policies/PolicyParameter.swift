import PathLearning

/// A parameter of a policy, as `pathwise policies NAME` shows it.
struct PolicyParameter: Equatable {
    var name: String
    /// The value if the text of `--policy` does not name it.
    var standard: String
    /// What may be given, as "a number from 0 to 1".
    var allowed: String
    var meaning: String

    /// The parameters of a policy, in the order in which its text is printed.
    static func all(of policy: String) -> [PolicyParameter] {
        // Its text is a path and not a list of names and values.
        if policy == "single" {
            return [
                PolicyParameter(
                    name: "path", standard: "0", allowed: allowed("99", of: policy),
                    meaning: meaning(of: "path", in: policy) ?? "")
            ]
        }
        let standards = standards[policy] ?? [:]
        return names(of: policy).map { name in
            PolicyParameter(
                name: name, standard: standards[name] ?? "",
                allowed: allowed("\(name)=", of: policy),
                meaning: meaning(of: name, in: policy) ?? "")
        }
    }

    /// The names that the policy's own parser knows.
    static func names(of policy: String) -> [String] {
        guard case .unknownParameter(_, _, let known) = refusal("?=", of: policy) else { return [] }
        return known
    }

    /// What the policy's own parser asks for instead of a value that it refuses.
    private static func allowed(_ text: String, of policy: String) -> String {
        guard case .invalidValue(_, _, _, let expected) = refusal(text, of: policy) else {
            return ""
        }
        return expected
    }

    private static func refusal(_ text: String, of policy: String) -> LearningError? {
        do throws(LearningError) {
            _ = try PolicySpecification(parsing: "\(policy):\(text)")
            return nil
        } catch {
            return error
        }
    }
}
