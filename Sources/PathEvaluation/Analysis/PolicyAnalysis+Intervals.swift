/// Estimates with the interval that was asked for.
extension PolicyAnalysis {
    /// The estimates that were asked for, each with its interval; those that need a model and have
    /// none are left out.
    public var estimates: [(estimate: Estimate, interval: Interval)] {
        options.estimators.compactMap { estimator in
            sums.estimate(estimator, tuning: options.tuning).map { estimate in
                let named = Estimate(
                    estimator: estimator, value: estimate.value,
                    standardError: estimate.standardError, count: estimate.count,
                    lambda: estimate.lambda)
                return (named, interval(of: named, confidence: options.confidence))
            }
        }
    }

    /// The range that rewards are taken to lie in, and whether it is known.
    public var rewardRange: (range: ClosedRange<Double>, isKnown: Bool) {
        if let range = options.rewardRange { return (range, true) }
        guard sums.count > 0 else { return (0...1, false) }
        if sums.leastReward >= 0, sums.greatestReward <= 1 { return (0...1, true) }
        return (sums.leastReward...sums.greatestReward, false)
    }

    /// The interval of an estimate by the method that was asked for, or by the next best one where
    /// that does not apply; `Interval.method` says which.
    public func interval(of estimate: Estimate, confidence: Double) -> Interval {
        let name = estimate.estimator.name
        switch options.interval {
        case .automatic:
            if name == .cressieRead { return likelihood(estimate, confidence) }
            return name == .dr
                ? closed(estimate, confidence) : estimate.normal(confidence: confidence)
        case .normal: break
        case .student: return estimate.student(confidence: confidence)
        case .hoeffding, .maurerPontil:
            if let interval = finiteSample(estimate, confidence) { return interval }
        case .cressieRead:
            if [.ips, .snips, .cressieRead].contains(name) {
                return likelihood(estimate, confidence)
            }
        case .bootstrap:
            if let interval = bootstrap?.interval(
                confidence: confidence, { PolicyAnalysis.value(name, $0) })
            {
                return interval.interval
            }
        case .blockBootstrap:
            if let interval = batches.blockBootstrap(
                name, confidence: confidence, resamples: options.resamples, seed: options.seed)
            {
                return interval.interval
            }
        case .batchMeans:
            if let interval = batches.batchMeans(name, confidence: confidence) {
                return interval.interval
            }
        case .betting:
            if name == .ips || name == .snips { return betting(confidence) }
        case .asymptotic:
            if let moments = moments(of: estimate) {
                return AsymptoticSequence.interval(moments, confidence: confidence)
            }
        }
        return estimate.normal(confidence: confidence)
    }

    /// Decisions from which on the normal interval of DR needs no correction for a small sample;
    /// what few heavy weights among many decisions mean, the verdict says.
    private static let manyDecisions = 1000

    private func closed(_ estimate: Estimate, _ confidence: Double) -> Interval {
        estimate.count < PolicyAnalysis.manyDecisions
            ? estimate.student(
                confidence: confidence, effectiveSampleSize: sums.effectiveSampleSize)
            : estimate.normal(confidence: confidence)
    }

    private func moments(of estimate: Estimate) -> Moments? {
        if estimate.estimator.name == .dm { return sums.hasModel ? sums.direct : nil }
        return estimate.estimator.score(estimate.lambda ?? 1).flatMap { sums.moments(of: $0) }
    }

    /// An estimate from a resample's sums of counts, w, w r, d and w (r - q).
    private static func value(
        _ name: Estimator.Name, _ sums: UnsafeBufferPointer<Double>
    ) -> Double {
        switch name {
        case .ips: sums[2] / sums[0]
        case .snips: sums[2] / sums[1]
        case .dm: sums[3] / sums[0]
        case .dr: (sums[3] + sums[4]) / sums[0]
        case .sndr: sums[3] / sums[0] + sums[4] / sums[1]
        default: .nan
        }
    }

    private func likelihood(_ estimate: Estimate, _ confidence: Double) -> Interval {
        let (range, isKnown) = rewardRange
        let largest = estimate.lambda ?? options.largestWeight ?? .infinity
        var interval = CressieRead(sums, largestWeight: largest)
            .interval(rewards: range, confidence: confidence)
        if !isKnown { interval.method += ", rewards in the range seen" }
        return interval
    }

    private func finiteSample(_ estimate: Estimate, _ confidence: Double) -> Interval? {
        guard let score = estimate.estimator.score(estimate.lambda ?? 1),
            let moments = sums.moments(of: score)
        else { return nil }
        let (rewards, isKnown) = rewardRange
        let largest = max(options.largestWeight ?? 0, sums.largestWeight.rounded(.up))
        let width = rewards.upperBound - rewards.lowerBound
        let range =
            score.base == .reward
            ? min(0, largest * rewards.lowerBound)...max(0, largest * rewards.upperBound)
            : rewards.lowerBound - largest * width...rewards.upperBound + largest * width
        var interval =
            options.interval == .hoeffding
            ? FiniteSample.hoeffding(
                mean: moments.mean, count: moments.count, range: range, confidence: confidence)
            : FiniteSample.maurerPontil(moments, range: range, confidence: confidence)
        if !isKnown || options.largestWeight == nil {
            interval.method += ", largest weight \(Verdict.rounded(largest))"
            if !isKnown { interval.method += ", rewards in the range seen" }
        }
        return interval
    }

    private func betting(_ confidence: Double) -> Interval {
        let (range, isKnown) = rewardRange
        let width = range.upperBound - range.lowerBound
        guard width > 0 else {
            return Interval(range.lowerBound, range.upperBound, method: "betting")
        }
        let scaled = keptRewards.lazy.map { ($0 - range.lowerBound) / width }
        var interval = BettingSequence.interval(
            weights: keptWeights, rewards: scaled, confidence: confidence)
        interval.low = range.lowerBound + interval.low * width
        interval.high = range.lowerBound + interval.high * width
        if !isKnown { interval.method += ", rewards in the range seen" }
        return interval
    }

    // MARK: Against what was recorded

    /// What the policy would have earned above what was recorded, paired by decision: by DR, or by
    /// IPS without a reward model.
    public var gain: Estimate {
        if sums.hasModel { return sums.gainOverLogged }
        return Estimate(
            estimator: .ips, value: sums.inverse.mean - sums.logged.mean,
            standardError: inverseGainError, count: sums.count)
    }

    /// sd of w r - r over sqrt n, from sums about the rewards' origin.
    private var inverseGainError: Double {
        batches.batchMeans(confidence: options.confidence) {
            $0.inverse / $0.count - $0.recorded
        }?.standardError ?? .nan
    }

    /// The interval of the gain by the method that was asked for; with several candidates all
    /// their intervals hold together (Bonferroni).
    public var gainInterval: Interval {
        let confidence = options.simultaneousConfidence
        var interval: Interval
        switch options.interval {
        case .student: interval = gain.student(confidence: confidence)
        case .asymptotic where sums.hasModel:
            interval = AsymptoticSequence.interval(sums.gain, confidence: confidence)
        case .blockBootstrap:
            interval =
                batches.blockBootstrap(
                    confidence: confidence, resamples: options.resamples, seed: options.seed,
                    gainOf)?.interval ?? gain.normal(confidence: confidence)
        case .batchMeans:
            interval =
                batches.batchMeans(confidence: confidence, gainOf)?.interval
                ?? gain.normal(confidence: confidence)
        case .automatic where sums.hasModel: interval = closed(gain, confidence)
        default: interval = gain.normal(confidence: confidence)
        }
        interval.method += ", paired"
        if options.candidates > 1 { interval.method += ", \(options.candidates) at once" }
        return interval
    }

    private func gainOf(_ batch: TimeBatches.Batch) -> Double {
        sums.hasModel ? batch.gain : batch.inverse / batch.count - batch.recorded
    }

    /// Whether to deploy the policy: a decision that may be asked for at any time.
    public func gate(_ verdict: Verdict) -> Gate {
        let confidence = options.simultaneousConfidence
        let (range, isKnown) = rewardRange
        if options.interval == .betting, isKnown, range.upperBound > range.lowerBound {
            let width = range.upperBound - range.lowerBound
            var interval = BettingSequence.gain(
                weights: keptWeights,
                rewards: keptRewards.lazy.map { ($0 - range.lowerBound) / width },
                confidence: confidence)
            interval.low *= width
            interval.high *= width
            return Gate(interval, verdict)
        }
        guard sums.hasModel else {
            return Gate(
                Interval(-.infinity, .infinity, method: "no sequence without a reward model"),
                verdict)
        }
        return Gate(AsymptoticSequence.interval(sums.gain, confidence: confidence), verdict)
    }
}

/// Deploy, hold or reject: by an interval of the gain that holds at all times at once.
public struct Gate: Hashable, Sendable {
    /// What to do.
    public enum Decision: String, Hashable, Sendable {
        case deploy, hold, reject
    }

    public let decision: Decision
    /// Of the gain over what was recorded.
    public let interval: Interval

    /// A policy is deployed when it is better for sure and the estimate deserves belief, and
    /// rejected when it is worse for sure.
    init(_ interval: Interval, _ verdict: Verdict) {
        self.interval = interval
        if interval.low > 0 {
            decision = verdict.level == .doNotTrust ? .hold : .deploy
        } else {
            decision = interval.high < 0 ? .reject : .hold
        }
    }
}
