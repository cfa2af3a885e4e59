import PathTelemetry

/// Parameters of a policy that can be written as text: `name=value,name=value`.
///
/// Times are in seconds. Omitted parameters keep their default values.
public protocol PolicySettings: Sendable {
    /// The parameters in the order in which they are printed.
    var fields: [PolicyField<Self>] { get }

    /// These settings changed by a text.
    ///
    /// - Parameter policy: its name, for error messages.
    func reading(_ text: String, policy: String) throws(LearningError) -> Self

    /// The differences from `defaults`, in the form that `reading` parses; empty if there are none.
    func text(against defaults: Self) -> String

    /// The same with names of paths replaced by their numbers; nil if none is named.
    ///
    /// - Parameter names: names of the paths, indexed by path number.
    func resolved(names: [String]) throws(LearningError) -> Self?
}

/// The settings of a policy without parameters.
public struct NoSettings: PolicySettings {
    public init() {}
    public var fields: [PolicyField<NoSettings>] { [] }
}

/// One parameter: its name, its key path, and its allowed values.
public struct PolicyField<Settings> {
    private enum Kind {
        case number(WritableKeyPath<Settings, Double>, ClosedRange<Double>)
        /// One of several words, stored as its position in the list.
        case word(WritableKeyPath<Settings, Int>, [String])
        /// One of several integers.
        case count(WritableKeyPath<Settings, Int>, [Int])
    }

    let name: String
    private let kind: Kind
    /// The allowed values, for error messages: "a number from 0 to 1".
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

    /// One of several integers.
    public init(_ name: String, _ path: WritableKeyPath<Settings, Int>, counts: [Int]) {
        self.name = name
        kind = .count(path, counts)
        expected = counts.map { "\($0)" }.joined(separator: " or ")
    }

    /// Sets the value from a text; returns false if it does not parse or is out of range.
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

    /// The value as text that `set` parses.
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
