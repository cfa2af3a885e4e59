/// One key of a configuration file: what it is called, what it may be, and what it means.
///
/// The check, `config show`, and the table of docs/configuration.md are made from these.
struct ConfigKey: Sendable {
    /// What may stand after the sign.
    enum Form: Sendable {
        /// A text in quotes.
        case text
        /// An array of texts; a single text is an array of one.
        case texts
        case number
        case flag

        /// The form in words, for messages and tables.
        var name: String {
            switch self {
            case .text: "a text in quotes"
            case .texts: "texts in brackets, as [\"one\", \"two\"]"
            case .number: "a number"
            case .flag: "true or false"
            }
        }
    }

    let name: String
    let form: Form
    /// The values that are allowed, for people.
    let allowed: String
    /// The value if nobody gives one, for people.
    let standard: String
    let meaning: String
    /// The option that says the same on the command line; nil if none does.
    let option: String?
    /// A value that is allowed, for examples.
    let sample: String
    /// Refuses a text that is not allowed.
    let check: @Sendable (String) throws -> Void

    init(
        _ name: String, _ form: Form, _ allowed: String, standard: String = "none",
        option: String? = nil, sample: String, _ meaning: String,
        check: @escaping @Sendable (String) throws -> Void = { _ in }
    ) {
        self.name = name
        self.form = form
        self.allowed = allowed
        self.standard = standard
        self.meaning = meaning
        self.option = option
        self.sample = sample
        self.check = check
    }
}

/// A table of a configuration file.
struct ConfigSection: Sendable {
    /// As in its header; empty for keys that stand before any header.
    let name: String
    /// Whether each header begins another table, as `[[path]]`.
    let isRepeated: Bool
    let meaning: String
    let keys: [ConfigKey]

    /// The header, as it is written.
    var header: String { isRepeated ? "[[\(name)]]" : "[\(name)]" }

    /// The name of a key in messages and reports, as `serve.hold`.
    func fullName(_ key: String) -> String { name.isEmpty ? key : "\(name).\(key)" }
}

/// What a file says for one key.
struct ConfigValue: Equatable, Sendable {
    /// As the command line would have them.
    var texts: [String]
    /// The line of the key, from one.
    var line: Int
}

/// Why a configuration file is refused.
struct ConfigProblem: Error, Equatable, CustomStringConvertible {
    var file: String
    /// From one; nil if the file cannot be read.
    var line: Int?
    /// As `serve.hold`; empty for the whole file.
    var key: String
    /// What is wrong, and what is allowed.
    var reason: String

    var description: String {
        let place = line.map { "\(file):\($0)" } ?? file
        return key.isEmpty ? "\(place): \(reason)" : "\(place): \(key): \(reason)"
    }
}
