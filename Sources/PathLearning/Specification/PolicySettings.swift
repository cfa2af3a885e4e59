import PathTelemetry

/// Parameters of a policy that can be written as text: `name=value,name=value`.
///
/// Times are in seconds. What is not said keeps the policy's own value.
public protocol PolicySettings: Sendable {
    /// The parameters in the order in which they are printed.
    var fields: [PolicyField<Self>] { get }

    /// These settings with what a text says of them.
    ///
    /// - Parameter policy: its name, for refusals.
    func reading(_ text: String, policy: String) throws(LearningError) -> Self

    /// What differs from `defaults`, as `reading` understands it; empty when nothing does.
    func text(against defaults: Self) -> String

    /// The same with names of paths replaced by their numbers; nil when none is named.
    ///
    /// - Parameter names: names of the paths; the position is the number.
    func resolved(names: [String]) throws(LearningError) -> Self?
}

/// The settings of a policy without parameters.
public struct NoSettings: PolicySettings {
    public init() {}
    public var fields: [PolicyField<NoSettings>] { [] }
}

/// One parameter: its name, where it is kept, and what it may be.
public struct PolicyField<Settings> {
    private enum Kind {
        case number(WritableKeyPath<Settings, Double>, ClosedRange<Double>)
        /// One of several words, kept as the place in the list.
        case word(WritableKeyPath<Settings, Int>, [String])
        /// One of several whole numbers.
        case count(WritableKeyPath<Settings, Int>, [Int])
    }

    let name: String
    private let kind: Kind
    /// What a value has to be, for refusals: "a number from 0 to 1".
    let expected: String

    /// A number within a range.
    public init(
        _ name: String, _ path: WritableKeyPath<Settings, Double>, _ range: ClosedRange<Double>,
        _ expected: String
    ) {
        self.name = name
        kind = .number(path, range)
        self.expected = expected
    }

    /// One of several words.
    public init(_ name: String, _ path: WritableKeyPath<Settings, Int>, words: [String]) {
        self.name = name
        kind = .word(path, words)
        expected = words.joined(separator: " or ")
    }

    /// One of several whole numbers.
    public init(_ name: String, _ path: WritableKeyPath<Settings, Int>, counts: [Int]) {
        self.name = name
        kind = .count(path, counts)
        expected = counts.map { "\($0)" }.joined(separator: " or ")
    }

    /// Takes a value over; false when it does not parse or is out of its range.
    func set(_ settings: inout Settings, to text: String) -> Bool {
        switch kind {
        case .number(let path, let range):
            guard let number = Double(text), range.contains(number) else { return false }
            settings[keyPath: path] = number
        case .word(let path, let words):
            guard let place = words.firstIndex(of: text) else { return false }
            settings[keyPath: path] = place
        case .count(let path, let counts):
            guard let number = Int(text), counts.contains(number) else { return false }
            settings[keyPath: path] = number
        }
        return true
    }

    /// The value as text that `set` understands.
    func text(_ settings: Settings) -> String {
        switch kind {
        case .number(let path, _):
            return NumberText.exact(settings[keyPath: path])
        case .word(let path, let words): return words[settings[keyPath: path]]
        case .count(let path, _): return "\(settings[keyPath: path])"
        }
    }
}

extension PolicySettings {
    /// Most policies name no path.
    public func resolved(names: [String]) throws(LearningError) -> Self? { nil }

    /// Reads `name=value,name=value`.
    public func reading(_ text: String, policy: String) throws(LearningError) -> Self {
        var result = self
        let fields = self.fields
        for part in text.split(separator: ",", omittingEmptySubsequences: true) {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(pair[0])
            let value = pair.count > 1 ? String(pair[1]) : ""
            guard let field = fields.first(where: { $0.name == name }) else {
                throw .unknownParameter(
                    policy: policy, parameter: name, known: fields.map(\.name))
            }
            guard field.set(&result, to: value) else {
                throw .invalidValue(
                    policy: policy, parameter: name, value: value, expected: field.expected)
            }
        }
        return result
    }

    /// Writes the parameters whose text differs.
    public func text(against defaults: Self) -> String {
        fields.compactMap { field in
            let value = field.text(self)
            return value == field.text(defaults) ? nil : "\(field.name)=\(value)"
        }.joined(separator: ",")
    }
}
