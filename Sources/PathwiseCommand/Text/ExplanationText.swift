import PathLearning
import PathReport
import PathTelemetry

/// The output of `trace explain`.
struct ExplanationText {
    var policy: String
    /// Names of the session's paths by number.
    var names: [String]
    /// The paths that carried the burst.
    var taken: PathSet
    var explanations: [CandidateExplanation]

    private func name(_ path: PathID) -> String {
        names[path.index].isEmpty ? "path \(path.index)" : names[path.index]
    }

    var summary: String {
        var table = TextTable([
            TextTable.Column("path", .left), TextTable.Column("taken", .left),
            TextTable.Column("score"), TextTable.Column("changed most by", .left),
        ])
        for item in explanations {
            let terms = item.terms.map {
                "\($0.feature) \($0.contribution > 0 ? "+" : "")"
                    + NumberText.short($0.contribution)
            }
            table.add([
                name(item.path), taken.contains(item.path) ? "yes" : "",
                NumberText.short(item.score, digits: 5), terms.joined(separator: ", "),
            ])
        }
        return "\(policy) prefers the path with the lowest score.\n\n" + table.text()
    }

    var json: JSONValue {
        [
            "policy": .string(policy),
            "paths": .array(
                explanations.map { item in
                    [
                        "path": .string(name(item.path)),
                        "taken": .bool(taken.contains(item.path)),
                        "score": .number(item.score),
                        "terms": .array(
                            item.terms.map {
                                [
                                    "input": .string($0.feature),
                                    "contribution": .number($0.contribution),
                                ]
                            }),
                    ]
                }),
        ]
    }
}
