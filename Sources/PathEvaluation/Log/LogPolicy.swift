/// A policy that is evaluated on a log of bandit data.
public enum LogPolicy: Hashable, Sendable, CustomStringConvertible {
    /// The probabilities `pi_e` of the log.
    case recorded
    /// The policy that wrote the log, by its probabilities `pi_b`.
    case logged
    /// Every action of a decision with equal probability.
    case uniform
    /// Always the same action.
    case constant(Int)

    /// Parses `pi_e`, `logged`, `uniform`, or `constant:ACTION`; nil for other texts.
    public init?(parsing text: String) {
        switch text {
        case "pi_e": self = .recorded
        case "logged": self = .logged
        case "uniform": self = .uniform
        default:
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0] == "constant", let action = Int(parts[1]),
                action >= 0
            else { return nil }
            self = .constant(action)
        }
    }

    public var description: String {
        switch self {
        case .recorded: "pi_e"
        case .logged: "logged"
        case .uniform: "uniform"
        case .constant(let action): "constant:\(action)"
        }
    }
}

extension BanditLog {
    /// The probability of an action of a decision under a policy that the log can evaluate.
    @inline(__always)
    func share(_ policy: LogPolicy, _ row: Int, _ action: Int) -> Double {
        switch policy {
        case .recorded: return evaluated[row * actionCount + action]
        case .logged: return logging[row * actionCount + action]
        case .uniform:
            let offered = offered(row)
            return action < offered ? 1 / Double(offered) : 0
        case .constant(let wanted): return action == wanted ? 1 : 0
        }
    }

    /// How many actions a decision offered: 0 up to that number.
    @inline(__always)
    func offered(_ row: Int) -> Int {
        offeredCounts.isEmpty ? actionCount : Int(offeredCounts[row])
    }

    /// Fails for policies that the log cannot evaluate.
    func check(_ policy: LogPolicy) throws(EvaluationError) {
        switch policy {
        case .recorded where evaluated.isEmpty:
            throw .unavailable(
                "the log has no columns pi_e_0..; name a policy: --policy uniform, or "
                    + "--policy constant:0")
        case .logged where logging.isEmpty:
            throw .unavailable(
                "the log has no columns pi_b_0.., so the policy that wrote it is not known")
        case .constant(let action) where action >= actionCount:
            throw .unavailable(
                "--policy constant:\(action): the log has the actions 0 to \(actionCount - 1)")
        default: break
        }
    }
}
