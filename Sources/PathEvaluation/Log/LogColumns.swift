/// How a log of bandit data names what it has: the columns of a CSV file, or the decision service
/// JSON of Vowpal Wabbit.
public struct LogColumns: Hashable, Sendable {
    /// The kind of file.
    enum Format: Hashable, Sendable {
        case csv
        /// One JSON object a line ("dsjson").
        case decisionService
    }

    let format: Format
    /// The name of a column in the file, with our name for it.
    private let names: [String: String]
    /// The beginning of the names of numbered context columns.
    private let contextPrefix: String?

    /// Columns with the names of the documentation.
    public static let standard = LogColumns(format: .csv, names: [:], contextPrefix: nil)

    /// The Open Bandit Dataset: `item_id`, `click`, `propensity_score`, and the affinities of user
    /// and item as the context.
    ///
    /// Source: Saito, Aihara, Matsutani and Narita, "Open Bandit Dataset and Pipeline: towards
    /// realistic and reproducible off-policy evaluation", 2021.
    static let openBandit = LogColumns(
        format: .csv,
        names: ["item_id": "action", "click": "reward", "propensity_score": "pscore"],
        contextPrefix: "user-item_affinity_")

    static let decisionService = LogColumns(
        format: .decisionService, names: [:], contextPrefix: nil)

    private init(format: Format, names: [String: String], contextPrefix: String?) {
        self.format = format
        self.names = names
        self.contextPrefix = contextPrefix
    }

    /// Parses `open-bandit`, `dsjson`, or pairs as `action=arm,reward=clicked,pscore=p`.
    ///
    /// - Returns: nil if a pair names no column of ours, or one of the names occurs twice.
    public init?(parsing text: String) {
        switch text {
        case "open-bandit": self = .openBandit
        case "dsjson": self = .decisionService
        default:
            var names: [String: String] = [:]
            var seen: Set<String> = []
            for pair in text.split(separator: ",", omittingEmptySubsequences: false) {
                let parts = pair.split(separator: "=", omittingEmptySubsequences: false)
                guard parts.count == 2, LogReader.isColumn(String(parts[0])), !parts[1].isEmpty,
                    seen.insert(String(parts[0])).inserted,
                    names.updateValue(String(parts[0]), forKey: String(parts[1])) == nil
                else { return nil }
            }
            self.init(format: .csv, names: names, contextPrefix: nil)
        }
    }

    /// Our name for a column of the file; a name that another column stands for is ignored.
    func name(_ column: String) -> String {
        if let name = names[column] { return name }
        if let contextPrefix, column.hasPrefix(contextPrefix) {
            return "x" + column.dropFirst(contextPrefix.count)
        }
        return names.values.contains(column) ? "" : column
    }

    /// The name of one of our columns in the file.
    func original(_ name: String) -> String {
        names.first { $0.value == name }?.key ?? name
    }
}
