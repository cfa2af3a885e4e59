import ArgumentParser
import PathEvaluation

/// `--estimator`: one estimator, or all of them.
enum EstimatorArgument {
    case one(Estimator)
    case all

    init(parsing text: String) throws {
        if text == "all" {
            self = .all
        } else if let estimator = Estimator(parsing: text) {
            self = .one(estimator)
        } else {
            throw CommandFailure(EstimatorArgument.problem(text), .usage)
        }
    }

    private static func problem(_ text: String) -> String {
        let name = text.split(separator: "=", maxSplits: 1).first.map(String.init) ?? text
        guard let known = EstimatorDescriptor.named(name) else {
            let names = EstimatorDescriptor.catalogue.map(\.name).joined(separator: " ")
            return "there is no such estimator; use \(names) or all"
        }
        guard let number = known.number else { return "\(name) takes no number; write \(name)" }
        return "the number is \(number.meaning); write \(name)=\(number.example), or \(name) "
            + "to let --tune choose it"
    }

    /// The estimators for help texts, one per line.
    static var catalogue: String {
        let kinds = EstimatorDescriptor.catalogue
        let width = kinds.map(\.name.count).max() ?? 0
        return kinds.map { kind in
            let source = kind.source.isEmpty ? "" : " (\(kind.source))"
            return String(
                PoliciesText.wrapped(
                    kind.summary + source, after: "  " + kind.name, column: width + 4
                ).dropLast())
        }.joined(separator: "\n")
    }

    var estimators: [Estimator] {
        switch self {
        case .one(let estimator): [estimator]
        case .all: Estimator.all
        }
    }
}

/// `--columns NAMES`.
enum LogColumnsArgument {
    static func columns(_ text: String) throws -> LogColumns {
        guard let columns = LogColumns(parsing: text) else {
            throw CommandFailure(
                "write open-bandit, dsjson, or pairs of our name and the file's, as "
                    + "action=arm,reward=clicked,pscore=p", .usage)
        }
        return columns
    }
}

/// `--reward-range LOW..HIGH`.
enum RewardRangeArgument {
    static func range(_ text: String) throws -> ClosedRange<Double> {
        guard let dots = text.firstRange(of: ".."), let low = Double(text[..<dots.lowerBound]),
            let high = Double(text[dots.upperBound...]), low < high, low >= -1e100, high <= 1e100
        else {
            throw CommandFailure("write the lowest and the highest reward, as 0..1", .usage)
        }
        return low...high
    }
}
