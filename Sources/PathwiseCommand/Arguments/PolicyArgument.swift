import Glibc
import PathLearning
import Pathwise

/// The value of `--policy`: a policy by name with parameters, or a model file for the learned
/// policy.
enum PolicyArgument: Equatable, CustomStringConvertible {
    case named(PolicySpecification)
    case model(file: String)

    /// The policy if none is named.
    static let standard = "learned"

    /// Parses a name, unless it looks like a file name or such a file exists.
    init(parsing text: String) throws(LearningError) {
        if text.contains("/") || text.hasSuffix(".safetensors") {
            self = .model(file: text)
            return
        }
        do throws(LearningError) {
            self = .named(try PolicySpecification(parsing: text))
        } catch {
            guard case .unknownPolicy = error, access(text, F_OK) == 0 else { throw error }
            self = .model(file: text)
        }
    }

    /// Returns the policy, its model, and its label in tables; the model is that of the file,
    /// and a name has none.
    func load() throws(LearningError) -> (
        specification: PolicySpecification, model: Model?, label: String
    ) {
        switch self {
        case .named(let specification):
            return (specification, nil, specification.name)
        case .model(let file):
            let model = try Model.load(file)
            let name = file.split(separator: "/").last.map(String.init) ?? file
            return (.learned(), model, name)
        }
    }

    /// The policy in the shadow that an option names; nil if it names none.
    static func shadow(_ text: String?) throws(LearningError) -> ShadowPolicy? {
        guard let text else { return nil }
        let (specification, model, _) = try PolicyArgument(parsing: text).load()
        return try ShadowPolicy(specification, model: model)
    }

    var description: String {
        switch self {
        case .named(let specification): specification.name
        case .model(let file): file
        }
    }
}
