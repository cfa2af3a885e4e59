import PathLearning
import PathReport
import PathTelemetry

/// What `model` prints.
enum ModelText {
    static func info(_ model: Model, file: String) -> String {
        var text = """
            \(file): \(model.kind), hash \(StableHash.text(model.hash))
            feature schema \(StableHash.text(model.schemaHash)), penalty \
            \(NumberText.short(model.ridge.lambda)), \
            \(NumberText.count(Int(model.ridge.totalWeight.rounded()))) decisions

            """
        if !model.notes.isEmpty {
            let widest = model.notes.keys.reduce(0) { max($0, $1.count) }
            text += "\n"
            for (name, value) in model.notes.sorted(by: { $0.key < $1.key }) {
                let space = String(repeating: " ", count: widest - name.count)
                let lines = value.split(separator: "\n", omittingEmptySubsequences: false)
                let indent = "\n" + String(repeating: " ", count: widest + 2)
                text += "\(name)\(space)  \(lines.joined(separator: indent))\n"
            }
        }
        var table = TextTable([
            TextTable.Column("feature", .left), TextTable.Column("weight"),
            TextTable.Column("meaning", .left),
        ])
        for feature in Feature.allCases {
            table.add([
                feature.name, signed(model.ridge.weights[feature.rawValue]), feature.meaning,
            ])
        }
        table.add(["(intercept)", signed(model.ridge.intercept), ""])
        return text + "\n" + table.text()
    }

    static func json(_ model: Model, file: String) -> JSONValue {
        [
            "file": .string(file), "kind": .string(model.kind),
            "hash": .string(StableHash.text(model.hash)),
            "schema": .string(StableHash.text(model.schemaHash)),
            "lambda": .number(model.ridge.lambda),
            "total_weight": .number(model.ridge.totalWeight),
            "intercept": .number(model.ridge.intercept),
            "weights": .object(
                Feature.allCases.map {
                    (key: $0.name, value: .number(model.ridge.weights[$0.rawValue]))
                }),
            "notes": .object(
                model.notes.sorted { $0.key < $1.key }.map {
                    (key: $0.key, value: .string($0.value))
                }),
        ]
    }

    private static func signed(_ value: Double) -> String {
        (value < 0 ? "" : "+") + NumberText.fixed(value, 4)
    }
}
