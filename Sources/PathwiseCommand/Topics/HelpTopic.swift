import PathReport

/// What the help of a command is too short for: a page of text for people.
///
/// `pathwise topic` prints it, and packages make a manual page of it.
struct HelpTopic: Sendable {
    let name: String
    let title: String
    /// Lines of at most 80 columns; paragraphs have an empty line between them.
    let text: String

    static let catalogue = [
        forwards, paths, serving, sending, receiving, links, evaluation, estimators,
    ]

    /// One line for each topic.
    static var list: String {
        let width = catalogue.map(\.name.count).max() ?? 0
        return catalogue.map { topic in
            let gap = String(repeating: " ", count: width + 2 - topic.name.count)
            return "  \(topic.name)\(gap)\(topic.title)"
        }.joined(separator: "\n")
    }

    var json: JSONValue {
        ["name": .string(name), "title": .string(title), "text": .string(text)]
    }
}
