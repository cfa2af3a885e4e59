import Glibc
import PathTelemetry

@testable import PathLearning

/// Decisions of a model and a rule that disagree, with the losses of the model set: deliveries of
/// 40 ms, lognormal with a deviation of 0.35 of which 0.28 is foreseen, 1.2 % late, deadline 150 ms;
/// the rule's mean score is 0.152.
struct DisagreementWorld {
    static let late = 0.012
    static let foreseen = 0.28
    static let unforeseen = 0.21
    static let scale = 40.0 / 300
    static let ruleScore = late + (1 - late) * typical
    private static let typical = scale * exp(0.35 * 0.35 / 2)

    /// The share of decisions in which both disagree; all of the loss is there.
    let share: Double
    private let lateShare: Double
    private let slowness: Double
    private var generator: SeededGenerator

    /// - Parameter loss: what the model loses over all decisions, as a share of the rule's score;
    ///   half by lateness, half by delay.
    init(loss: Double, share: Double, seed: UInt64) {
        self.share = share
        let extra = loss * DisagreementWorld.ruleScore / share
        lateShare =
            DisagreementWorld.late + extra / 2 / (1 - DisagreementWorld.typical)
        slowness = 1 + extra / 2 / ((1 - lateShare) * DisagreementWorld.typical)
        generator = SeededGenerator(seed: seed)
    }

    /// One decision: what the rule expects to score, and the scores of both; nil if they agree.
    mutating func next() -> (expected: Double, model: Double, rule: Double)? {
        guard generator.uniform() < share else { return nil }
        let known = DisagreementWorld.foreseen * generator.normal()
        let spread = DisagreementWorld.unforeseen * DisagreementWorld.unforeseen / 2
        let expected =
            DisagreementWorld.late
            + (1 - DisagreementWorld.late) * DisagreementWorld.scale * exp(known + spread)
        let model = score(known, late: lateShare, slowness: slowness)
        let rule = score(known, late: DisagreementWorld.late, slowness: 1)
        return (expected, model, rule)
    }

    private mutating func score(_ known: Double, late: Double, slowness: Double) -> Double {
        let time =
            slowness * DisagreementWorld.scale
            * exp(known + DisagreementWorld.unforeseen * generator.normal())
        return generator.uniform() < late || time > 0.5 ? 1 : time
    }

    mutating func draws(_ probability: Double) -> Bool { generator.uniform() < probability }
}

/// How a run looks for losses.
enum Watch {
    /// The rule is drawn with this probability.
    case exploration(Double)
    /// This share of disagreements is copied.
    case copies(Double)
    /// Exploration of 2 %, and of 50 % while a CUSUM is above five until it is below two.
    case suspicion
    /// No exploration: a score of 1.5 times the expected one is tolerated.
    case gross

    /// Decisions until the alarm at 1e5; nil if none came within `limit`.
    func decisions(_ world: DisagreementWorld, within limit: Int) -> Int? {
        var world = world
        var detector = EDetector(.shiryaevRoberts)
        var difference = EDetector(.cumulativeSum)
        var level = EDetector(.cumulativeSum)
        var isSuspicious = false
        for decision in 1...limit {
            guard let (expected, model, rule) = world.next() else { continue }
            let sample: LossSample
            switch self {
            case .exploration, .suspicion:
                var share = isSuspicious ? 0.5 : 0.02
                if case .exploration(let fixed) = self { share = fixed }
                let takesModel = world.draws(1 - share)
                sample = .disagreement(
                    takesModel ? .model : .rule, score: takesModel ? model : rule,
                    expected: (expected, expected), probability: (1 - share, share))
                let excess = LossSample.excess(
                    takesModel ? model : rule, over: 1.05, expected: expected)
                let evidence = max(difference.add(sample), level.add(excess))
                isSuspicious = evidence > (isSuspicious ? 2 : 5)
            case .copies(let share):
                sample = .copies(world.draws(share) ? (model, rule) : nil, probability: share)
            case .gross: sample = .excess(model, over: 1.5, expected: expected)
            }
            if detector.add(sample) >= 1e5 { return decision }
        }
        return nil
    }
}
