/// One row of the feature table, without the quantity.
struct FeatureDefinition: Sendable {
    var name: String
    /// The unit of the raw quantity.
    var unit: String
    /// Description of the raw quantity.
    var meaning: String
    var scaling: Scaling

    /// All definitions, in the order of the vector.
    static let all: [FeatureDefinition] = {
        var rows = DefinitionRows()
        var evidence = PathEvidence()
        let moment = DecisionMoment()
        var snapshot = PathSnapshot(path: PathID(0), state: .active, traits: PathTraits())
        let path = PathReading(&snapshot, &evidence, clockOffset: nil, moment)
        FeatureTable.fill(&rows, path, &evidence, moment)
        return rows.definitions
    }()
}

/// Keeps the definitions of the rows.
private struct DefinitionRows: FeatureRows {
    var definitions: [FeatureDefinition] = []

    mutating func row(
        _ feature: Feature, _ name: StaticString, unit: StaticString, _ scaling: Scaling,
        _ meaning: StaticString, _ raw: Double
    ) {
        precondition(feature.rawValue == definitions.count, "rows are in the order of the vector")
        definitions.append(
            FeatureDefinition(
                name: "\(name)", unit: "\(unit)", meaning: "\(meaning)", scaling: scaling))
    }
}

extension Feature {
    private var definition: FeatureDefinition { FeatureDefinition.all[rawValue] }
    /// The name in files and tables.
    public var name: String { definition.name }
    /// The unit of the raw quantity.
    public var unit: String { definition.unit }
    /// Description of the raw quantity.
    public var meaning: String { definition.meaning }
    var scaling: Scaling { definition.scaling }
}

/// The meaning of the numbers of a `FeatureVector`; every trace and model has the hash of this
/// value.
public struct FeatureSchema: Sendable {
    /// The count of numbers in a vector.
    public static let count = FeatureVector.count
    /// The schema of this program.
    public static let current = FeatureSchema(version: FeatureTable.version)

    public let version: Int
    /// Names in the order of the vector.
    public let names: [String]
    /// The whole schema as text, with a line for each feature: name, unit, scaling and meaning.
    public let text: String
    /// Stable hash of `text`.
    public let hash: UInt64

    private init(version: Int) {
        self.version = version
        // Numbers of the vector that no feature uses are zero.
        let unused = Feature.allCases.count..<max(Feature.allCases.count, FeatureSchema.count)
        names = Feature.allCases.map(\.name) + unused.map { "unused_\($0)" }
        var text = "pathwise features version \(version)\n"
        for feature in Feature.allCases {
            text += "\(feature.name)\t\(feature.unit)\t\(feature.scaling.text)\t"
            text += "\(feature.meaning)\n"
        }
        self.text = text
        hash = StableHash(text).value
    }
}
