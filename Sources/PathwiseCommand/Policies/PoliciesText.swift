import PathLearning
import PathReport

/// The texts of `pathwise policies`.
enum PoliciesText {
    private static let width = 80

    /// All policies with their lines of help.
    static func list() -> String {
        let policies = PolicySpecification.catalogue
        let column = 2 + (policies.map(\.name.count).max() ?? 0)
        func lines(_ policies: [PolicyDescription]) -> String {
            policies.map { policy in
                let source = policy.source.isEmpty ? "" : " (\(policy.source))"
                return wrapped(policy.summary + source, after: policy.name, column: column)
            }.joined()
        }
        return lines(policies.filter { !$0.isBaseline }) + "\nOnly to be compared with:\n"
            + lines(policies.filter(\.isBaseline))
            + "\n'pathwise policies NAME' shows the parameters of one.\n"
    }

    /// One policy with its parameters.
    static func details(of policy: PolicyDescription) -> String {
        var text = wrapped("\(policy.name): \(policy.summary).", after: "", column: 0)
        if !policy.source.isEmpty { text += "Source: \(policy.source).\n" }
        if let start = start(of: policy.name) {
            text += wrapped(start, after: "", column: 0)
        }
        let parameters = PolicyParameter.all(of: policy.name)
        guard !parameters.isEmpty else {
            return text + "\nIt has no parameters: --policy \(policy.name)\n"
        }
        let column = 4 + (parameters.map { $0.name.count + $0.standard.count + 1 }.max() ?? 0)
        text += "\nParameters with their defaults:\n"
        for parameter in parameters {
            text += wrapped(
                "\(parameter.meaning) Give \(parameter.allowed).",
                after: "  \(parameter.name)=\(parameter.standard)", column: column)
        }
        return text + "\nExample: --policy \(example(of: policy.name, parameters[0]))\n"
    }

    /// The value of `--policy` with one parameter.
    private static func example(of policy: String, _ parameter: PolicyParameter) -> String {
        policy == "single" ? "single:lte" : "\(policy):\(parameter.name)=\(parameter.standard)"
    }

    /// How a policy that learns starts; nil for one that could not use a model.
    private static func start(of policy: String) -> String? {
        guard let needs = try? PolicySpecification(parsing: policy).needs, needs.model else {
            return nil
        }
        let text = "It starts without a model, and learns from the first outcomes on."
        guard policy == PolicySpecification.learned().name else { return text }
        return text + " It can start from a trained model: --policy FILE.safetensors."
    }

    static func json(_ policies: [PolicyDescription]) -> JSONValue {
        [
            "policies": .array(
                policies.map { policy in
                    [
                        "name": .string(policy.name), "summary": .string(policy.summary),
                        "source": policy.source.isEmpty ? .null : .string(policy.source),
                        "baseline": .bool(policy.isBaseline),
                        "start": start(of: policy.name) == nil ? .null : "flat",
                        "parameters": .array(
                            PolicyParameter.all(of: policy.name).map { parameter in
                                [
                                    "name": .string(parameter.name),
                                    "default": .string(parameter.standard),
                                    "allowed": .string(parameter.allowed),
                                    "meaning": .string(parameter.meaning),
                                ]
                            }),
                    ]
                })
        ]
    }

    /// A heading and a text beside it, whose lines end before the right margin.
    ///
    /// - Parameters:
    ///   - heading: at the left of the first line.
    ///   - column: where the text begins in each line.
    static func wrapped(_ text: String, after heading: String, column: Int) -> String {
        var lines: [String] = []
        var line = heading + String(repeating: " ", count: max(0, column - heading.count))
        var isEmpty = true
        for word in text.split(separator: " ") {
            if !isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = String(repeating: " ", count: column)
                isEmpty = true
            }
            line += isEmpty ? String(word) : " " + word
            isEmpty = false
        }
        return (lines + [line]).joined(separator: "\n") + "\n"
    }
}
