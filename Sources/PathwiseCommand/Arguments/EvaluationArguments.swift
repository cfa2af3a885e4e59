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
        guard let known = Estimator.Name(rawValue: name) else {
            let names = Estimator.Name.allCases.map(\.rawValue).joined(separator: " ")
            return "there is no such estimator; use \(names) or all"
        }
        guard let parameter = known.parameter else {
            return "\(name) takes no number; write \(name)"
        }
        let example =
            switch known {
            case .sgIPS, .sgDR, .subGaussianIPS, .subGaussianDR: "\(name)=0.1"
            default: "\(name)=10"
            }
        return "the number is \(parameter); write \(example) or so, or \(name) to have it chosen"
    }

    var estimators: [Estimator] {
        switch self {
        case .one(let estimator): [estimator]
        case .all: Estimator.all
        }
    }
}

/// `--reward-range LOW..HIGH`.
enum RewardRangeArgument {
    static func range(_ text: String) throws -> ClosedRange<Double> {
        guard let dots = text.firstRange(of: ".."), let low = Double(text[..<dots.lowerBound]),
            let high = Double(text[dots.upperBound...]), low < high, low >= -1e100, high <= 1e100
        else {
            throw CommandFailure("write the least and the greatest reward, as 0..1", .usage)
        }
        return low...high
    }
}
