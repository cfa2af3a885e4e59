import PathLearning
import PathReport
import PathTelemetry

/// The output of `model`.
enum ModelText {
    static func info(_ model: Model, file: String) -> String {
        var text = """
            \(file): \(model.kind), hash \(StableHash.text(model.hash))
            feature schema \(StableHash.text(model.schemaHash))

            """
        for (name, head) in heads(model) {
            text += "\(name): penalty \(NumberText.short(head.lambda)), "
            text += NumberText.counted(Int(clamping: head.totalWeight), "decision") + "\n"
        }
        if let neural = model.neural {
            let widths = neural.layers.layers.map { String($0.outputs) }
            text += "network: \(neural.layers.inputs)-\(widths.joined(separator: "-"))-1, tanh\n"
        }
        if let fourier = model.late?.fourier {
            text += "late: \(fourier.count) random Fourier features beside the linear ones\n"
        }
        if !model.notes.isEmpty {
            // The width is limited, as one long name in a file would fill every line with blanks.
            let widest = model.notes.keys.reduce(0) { max($0, min(40, $1.count)) }
            text += "\n"
            for (name, value) in model.notes.sorted(by: { $0.key < $1.key }) {
                let space = String(repeating: " ", count: max(0, widest - name.count))
                let lines = value.split(separator: "\n", omittingEmptySubsequences: false)
                let indent = "\n" + String(repeating: " ", count: widest + 2)
                let shown = lines.map { EscapedText(String($0)).description }
                text += "\(EscapedText(name))\(space)  \(shown.joined(separator: indent))\n"
            }
        }
        if let weights = weights(model) { text += "\n" + weights }
        if let calibration = model.late?.calibration, calibration.count > 0 {
            text += "\n" + CalibrationText.table(calibration)
        }
        return text
    }

    /// The weights of the heads that have one per feature.
    private static func weights(_ model: Model) -> String? {
        guard model.residual != nil || model.late != nil else { return nil }
        var columns = [TextTable.Column("feature", .left)]
        if model.residual != nil { columns.append(TextTable.Column("residual")) }
        if model.late != nil { columns.append(TextTable.Column("late")) }
        columns.append(TextTable.Column("meaning", .left))
        var table = TextTable(columns)
        func row(_ name: String, _ meaning: String, _ weight: (LinearHead) -> Double) {
            let cells = [model.residual?.head, model.late?.head].compactMap { head in
                head.map { signed(weight($0)) }
            }
            table.add([name] + cells + [meaning])
        }
        for feature in Feature.allCases {
            row(feature.name, feature.meaning) { $0.weights[feature.rawValue] }
        }
        row("(intercept)", "") { $0.intercept }
        return table.text()
    }

    private static func heads(_ model: Model) -> [(name: String, head: LinearHead)] {
        [
            ("residual", model.residual?.head), ("late", model.late?.head),
            ("neural", model.neural?.head),
        ].compactMap { name, head in head.map { (name, $0) } }
    }

    static func json(_ model: Model, file: String) -> JSONValue {
        func linear(_ head: LinearHead) -> JSONValue {
            [
                "lambda": .number(head.lambda), "total_weight": .number(head.totalWeight),
                "intercept": .number(head.intercept),
                "weights": .object(
                    Feature.allCases.map {
                        (key: $0.name, value: .number(head.weights[$0.rawValue]))
                    }),
            ]
        }
        return [
            "file": .string(file), "kind": .string(model.kind),
            "hash": .string(StableHash.text(model.hash)),
            "schema": .string(StableHash.text(model.schemaHash)),
            "residual": model.residual.map { linear($0.head) } ?? .null,
            "late": model.late.map { linear($0.head) } ?? .null,
            "neural": model.neural.map { neural in
                [
                    "lambda": .number(neural.head.lambda),
                    "total_weight": .number(neural.head.totalWeight),
                    "widths": .array(neural.layers.layers.map { .count($0.outputs) }),
                ]
            } ?? .null,
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

/// The findings of `model verify`.
extension ModelText {
    struct Finding {
        let file: String
        let model: Model?
        let problem: String?
        let status: ExitStatus

        init(_ file: String) {
            self.file = file
            do throws(LearningError) {
                let model = try Model.load(file)
                let problem = Finding.predictions(of: model)
                self.model = problem == nil ? model : nil
                self.problem = problem.map { "model \(file): \($0)" }
                status = .dataError
            } catch {
                model = nil
                problem = error.description
                status = ExitStatus(error)
            }
        }

        /// Evaluates the model at corners and random points of the features' range.
        private static func predictions(of model: Model) -> String? {
            var generator = SeededGenerator(seed: 1)
            for step in 0..<200 {
                var features = FeatureVector(repeating: step == 0 ? 0 : step % 2 == 0 ? 8 : -8)
                if step > 2 {
                    for index in features.indices { features[index] = 16 * generator.uniform() - 8 }
                }
                for value in [
                    model.residual?.predict(features), model.late?.predict(features),
                    model.neural?.predict(features),
                ] {
                    if let value, !value.isFinite { return "it predicts \(value)" }
                }
            }
            return nil
        }
    }

    static func verification(_ findings: [Finding]) -> String {
        var table = TextTable([
            TextTable.Column("model", .left), TextTable.Column("kind", .left),
            TextTable.Column("hash", .left), TextTable.Column("", .left),
        ])
        for finding in findings {
            table.add([
                finding.file, finding.model?.kind ?? "-",
                finding.model.map { StableHash.text($0.hash) } ?? "-",
                finding.problem == nil ? "sound" : "refused",
            ])
        }
        return table.text()
    }

    static func json(_ findings: [Finding]) -> JSONValue {
        [
            "models": .array(
                findings.map { finding in
                    [
                        "file": .string(finding.file), "sound": .bool(finding.problem == nil),
                        "problem": finding.problem.map { .string($0) } ?? .null,
                        "kind": finding.model.map { .string($0.kind) } ?? .null,
                        "hash": finding.model.map { .string(StableHash.text($0.hash)) } ?? .null,
                    ]
                })
        ]
    }
}

/// The table of predicted against observed lateness.
enum CalibrationText {
    static func table(_ calibration: ConformalCalibration) -> String {
        var table = TextTable([
            TextTable.Column("P(late) from"), TextTable.Column("to"),
            TextTable.Column("decisions"), TextTable.Column("late"),
            TextTable.Column("predicted"), TextTable.Column("observed"),
        ])
        for row in calibration.table() {
            table.add([
                NumberText.percent(row.from), NumberText.percent(row.to),
                NumberText.count(Int(clamping: row.decisions)),
                NumberText.count(Int(clamping: row.late)),
                NumberText.percent(row.predicted), NumberText.percent(row.observed),
            ])
        }
        return table.text()
    }
}

extension Int {
    /// The nearest integer; numbers out of range are clamped, and NaN becomes zero.
    init(clamping value: Double) {
        self = value.isNaN ? 0 : value >= 9e18 ? .max : value <= -9e18 ? .min : Int(value.rounded())
    }
}
