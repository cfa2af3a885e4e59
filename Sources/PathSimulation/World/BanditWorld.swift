import Glibc
public import PathLearning
public import PathTelemetry

/// A bandit problem whose best action is known, to measure the regret of policies.
///
/// Time runs in steps of 10 ms. In each step the arms are candidates with features; the world knows
/// the true cost of each, and the policy sees the noisy delivery of its choice. Deliveries are `h
/// exp(cost + noise)`, so the policies' residual is cost plus noise. Contextual worlds put a common
/// context x (beginning with a one) into a separate block of features for each arm, so that shared
/// weights act as weights per arm.
///
/// Paths that become slower with use are not modelled. Source of the contextual worlds: the setting
/// of Russac et al. 2019, section 5, with four arms and six features.
public struct BanditWorld: Sendable {
    /// How costs are generated.
    public enum Kind: String, CaseIterable, Sendable {
        /// Costs are linear in the context and constant over time.
        case linear
        /// Costs are sines of the context, so no linear model is correct.
        case nonlinear
        /// Costs are linear, with coefficients that rotate once in 60 s.
        case drifting
        /// Costs are linear; after each third of the time the arms are permuted.
        case abrupt
        /// There is no context; each arm has a constant mean.
        case fixed
        /// The same, with arms permuted after each third of the time.
        case switching
    }

    /// Predicted delivery of every arm, seconds, and the deadline of every burst.
    public static let prediction = 0.03
    public static let deadline = TimeDelta.seconds(1)
    /// Time from one decision to the next.
    public static let interval = TimeDelta.milliseconds(10)
    /// Standard deviation of the noise.
    public static let noise = 0.05

    public let kind: Kind
    public let arms: Int
    public let steps: Int
    /// Number of context features, including the constant.
    let dimensions: Int
    private var generator: SeededGenerator
    private let first: [[Double]]
    private let second: [[Double]]
    private var step = 0
    /// True expected costs of the arms in the present step.
    public private(set) var costs: [Double]

    /// - Parameters:
    ///   - arms: 2 to 8.
    ///   - seed: seed of everything in the world.
    public init(_ kind: Kind, arms: Int, steps: Int, seed: UInt64) {
        self.kind = kind
        self.arms = min(max(2, arms), 8)
        self.steps = steps
        let isContextual = kind != .fixed && kind != .switching
        dimensions = isContextual ? FeatureSchema.count / self.arms : 1
        var generator = SeededGenerator(seed: seed)
        func coefficients(_ size: Int) -> [Double] {
            (0..<size).map { _ in 0.15 * generator.normal() }
        }
        let (count, size) = (self.arms, dimensions)
        if isContextual {
            first = (0..<count).map { _ in coefficients(size) }
        } else {
            // The means are equidistant, in random order.
            var order = Array(0..<count)
            order.shuffle(using: &generator)
            first = order.map { [0.5 * Double($0) / Double(count - 1)] }
        }
        second = (0..<count).map { _ in coefficients(size) }
        costs = [Double](repeating: 0, count: count)
        self.generator = generator
    }

    /// The time of the present step.
    public var now: Instant { .zero + BanditWorld.interval * Int64(step) }

    /// Advances to the next step; the candidates are its arms.
    public mutating func advance(_ candidates: inout CandidateSet) {
        step += 1
        var context = [1.0]
        for _ in 1..<max(1, dimensions) { context.append(generator.normal()) }
        candidates.removeAll()
        for arm in 0..<arms {
            costs[arm] = cost(arm, context)
            var candidate = Candidate(path: PathID(arm))
            candidate.predictedDelivery = BanditWorld.prediction
            candidate.smoothedRTT = 2 * BanditWorld.prediction
            candidate.rttVariation = BanditWorld.prediction / 10
            candidate.room = 100_000
            candidate.congestionWindow = 100_000
            candidate.rate = 1e7
            for place in 0..<dimensions {
                candidate.features[arm * dimensions + place] = context[place]
            }
            candidates.append(candidate)
        }
    }

    private func cost(_ arm: Int, _ context: [Double]) -> Double {
        let third = min(2, 3 * (step - 1) / max(1, steps))
        let phase = 2 * Double.pi * Double(step) / 6000
        let own = kind == .abrupt || kind == .switching ? (arm + third) % arms : arm
        var sum = 0.0
        for place in 0..<dimensions {
            switch kind {
            case .drifting:
                sum +=
                    context[place]
                    * (first[own][place] * cos(phase) + second[own][place] * sin(phase))
            case .nonlinear:
                sum += first[own][place] * sin(2 * context[place] + 10 * second[own][place])
            default: sum += context[place] * first[own][place]
            }
        }
        return sum
    }

    /// The outcome of the present step's burst on an arm; the noise does not depend on the arm.
    public mutating func outcome(of arm: Int, number: UInt64) -> Outcome {
        let noise = BanditWorld.noise * generator.normal()
        let delivery = BanditWorld.prediction * exp(costs[arm] + noise)
        let isLate = delivery > BanditWorld.deadline.seconds
        return Outcome(
            decision: number, delivery: isLate ? nil : delivery, isLate: isLate,
            deadline: BanditWorld.deadline.seconds, packets: 1, lostPackets: 0, closedAt: now)
    }
}

/// The regret of a policy against always taking the best arm.
public struct BanditResult: Sendable {
    /// Sum over all steps of the chosen arm's true cost minus the least one.
    public var regret = 0.0
    /// The expected regret of uniformly random choice.
    public var randomRegret = 0.0
    /// Regret by the end of each tenth of the steps.
    var course: [Double] = []
    /// Regret of the best fixed arm on average over all steps, without context.
    var fixedArmRegret = 0.0

    /// Regret as a share of that of random choice.
    public var share: Double { randomRegret > 0 ? regret / randomRegret : 0 }

    /// Runs a policy in a world.
    ///
    /// - Parameter delay: steps from a decision to its outcome.
    public static func play(
        _ specification: PolicySpecification, in world: BanditWorld, seed: UInt64, delay: Int = 0
    ) throws(LearningError) -> BanditResult {
        var world = world
        var result = BanditResult()
        var engine = DecisionEngine(try PathSelector(specification, seed: seed))
        var candidates = CandidateSet()
        var pending: [Outcome] = []
        var sums = [Double](repeating: 0, count: world.arms)
        var least = 0.0
        let burst = BurstContext(
            bytes: 10_000, deadline: BanditWorld.deadline, trafficClass: .message)
        for step in 0..<world.steps {
            world.advance(&candidates)
            let verdict = engine.decide(among: candidates, burst: burst, now: world.now)
            let best = world.costs.min() ?? 0
            let mean = world.costs.reduce(0, +) / Double(world.arms)
            result.randomRegret += mean - best
            least += best
            for arm in sums.indices { sums[arm] += world.costs[arm] }
            if case .send(let dispatch) = verdict {
                let arm = dispatch.path.index
                result.regret += world.costs[arm] - best
                pending.append(world.outcome(of: arm, number: dispatch.number))
            } else {
                result.regret += mean - best
            }
            if pending.count > delay {
                engine.handleOutcome(pending.removeFirst())
                while engine.pollOutcome() != nil {}
            }
            if (step + 1) % max(1, world.steps / 10) == 0 { result.course.append(result.regret) }
        }
        result.fixedArmRegret = (sums.min() ?? 0) - least
        return result
    }
}
