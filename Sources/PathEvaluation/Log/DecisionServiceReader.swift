/// Reads a log in Vowpal Wabbit's decision service JSON: one object a line with `_label_cost`,
/// `_label_probability`, `a` and `p`, the chosen action first.
///
/// Rewards are minus the costs. Lines without a label are decisions without an outcome, those with
/// `_skipLearn` are forced. The features of `c` are not read, so the reward model is the mean of each
/// action. Source: github.com/VowpalWabbit/vowpal_wabbit/wiki/DSJSON.
struct DecisionServiceReader {
    private let path: String
    private var row = 0
    private var lines: [Decision] = []
    private var log = BanditLog(actionCount: 1)

    private struct Decision {
        var chosen: Int
        var reward: Double
        /// The probability of each action, by its number.
        var probabilities: [Double]
    }

    /// The most actions of a decision.
    private static let mostActions = 10_000
    /// Probabilities are often written as single-precision numbers.
    private static let rounding = 1e-4

    private init(path: String) { self.path = path }

    static func read(
        _ path: String, skipsRefused: Bool
    ) throws(EvaluationError) -> BanditLog {
        var reader = DecisionServiceReader(path: path)
        try LineReader.forEachLine(of: path) { line, _ throws(EvaluationError) in
            guard !line.isEmpty else { return }
            reader.row += 1
            do throws(EvaluationError) { try reader.take(line) } catch {
                guard skipsRefused else { throw error }
                reader.log.refuse(error)
            }
        }
        guard !reader.lines.isEmpty else {
            throw .log(path: path, row: nil, column: nil, problem: "has no decision with a label")
        }
        return reader.result
    }

    private mutating func take(_ bytes: UnsafeBufferPointer<UInt8>) throws(EvaluationError) {
        guard let line = DecisionServiceScanner.read(bytes) else {
            throw refusal(nil, "is not a line of decision service JSON")
        }
        if line.isSkipped {
            log.forced += 1
            return
        }
        guard let cost = line.cost else {
            log.withoutOutcome += 1
            return
        }
        guard cost.magnitude <= EvaluationLimit.number else {
            throw refusal("_label_cost", "\(cost) is too large: squares are added up")
        }
        guard line.dropped == 0 else {
            throw refusal(
                "pdrop", "is \(line.dropped): decisions without a reward were left out of the log")
        }
        let count = line.actions.count
        guard count > 0, count <= DecisionServiceReader.mostActions else {
            throw refusal("a", "has to list the actions")
        }
        guard line.probabilities.count == count else {
            throw refusal("p", "has \(line.probabilities.count) numbers for \(count) actions")
        }
        var probabilities = [Double](repeating: -1, count: count)
        for (action, probability) in zip(line.actions, line.probabilities) {
            guard action >= 1, action <= Double(count), action == action.rounded(),
                probabilities[Int(action) - 1] < 0
            else { throw refusal("a", "has to list each of the actions 1 to \(count) once") }
            guard probability >= 0, probability <= 1 + DecisionServiceReader.rounding else {
                throw refusal("p", "\(probability) is not a probability")
            }
            probabilities[Int(action) - 1] = probability
        }
        let sum = probabilities.reduce(0, +)
        guard (sum - 1).magnitude <= DecisionServiceReader.rounding * Double(max(10, count)) else {
            throw refusal("p", "sums to \(sum), not to 1")
        }
        if (sum - 1).magnitude > 1e-9 {
            log.renormalised += 1
            for index in probabilities.indices { probabilities[index] /= sum }
        }
        let chosen = Int(line.actions[0]) - 1
        guard probabilities[chosen] >= EvaluationLimit.propensity else {
            throw refusal("p", "is 0 for the chosen action")
        }
        if let stated = line.probability,
            (stated - line.probabilities[0]).magnitude > DecisionServiceReader.rounding
        {
            throw refusal(
                "_label_probability", "\(stated) is not that of p, \(line.probabilities[0])")
        }
        lines.append(Decision(chosen: chosen, reward: -cost, probabilities: probabilities))
    }

    private func refusal(_ member: String?, _ problem: String) -> EvaluationError {
        .log(path: path, row: row, column: member, problem: problem)
    }

    /// The log, once the largest number of actions is known.
    private var result: BanditLog {
        let most = lines.map(\.probabilities.count).max() ?? 1
        var result = log
        result.actionCount = most
        for line in lines {
            result.actions.append(Int32(line.chosen))
            result.rewards.append(line.reward)
            result.propensities.append(line.probabilities[line.chosen])
            let rest = [Double](repeating: 0, count: most - line.probabilities.count)
            result.logging += line.probabilities + rest
            result.offeredCounts.append(Int32(line.probabilities.count))
        }
        return result
    }
}
