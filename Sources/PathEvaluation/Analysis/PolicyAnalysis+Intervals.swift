import Glibc

/// Estimates with the requested interval.
extension PolicyAnalysis {
    /// The requested estimates, each with its interval; those that need a model are left out if
    /// none exists.
    public var estimates: [(estimate: Estimate, interval: Interval)] {
        options.estimators.compactMap { estimator in
            if estimator.kind.needs.contains(.certainPolicy), !isDeterministic { return nil }
            return sums.estimate(estimator, tuning: options.tuning).map { estimate in
                var named = Estimate(
                    estimator: estimator, value: estimate.value,
                    standardError: estimate.standardError, count: estimate.count,
                    lambda: estimate.lambda)
                let interval = interval(of: named, confidence: options.confidence)
                if options.interval == .automatic, isDependent {
                    named.standardError = errorByTime(named)
                }
                return (named, interval)
            }
        }
    }

    /// The assumed range of rewards, and whether it is known.
    public var rewardRange: (range: ClosedRange<Double>, isKnown: Bool) {
        if let range = options.rewardRange { return (range, true) }
        guard sums.count > 0 else { return (0...1, false) }
        if sums.leastReward >= 0, sums.greatestReward <= 1 { return (0...1, true) }
        return (sums.leastReward...sums.greatestReward, false)
    }

    /// The interval of an estimate by the requested method, or by the next best one if that does
    /// not apply; `Interval.method` says which.
    ///
    /// It is never narrower than the number of decisions allows if all rewards are equal.
    public func interval(of estimate: Estimate, confidence: Double) -> Interval {
        atLeast(
            unseen(estimate.estimator.kind, confidence),
            sampled(estimate, confidence: confidence))
    }

    /// The interval from the sample.
    private func sampled(_ estimate: Estimate, confidence: Double) -> Interval {
        let kind = estimate.estimator.kind
        switch options.interval {
        case .automatic: return automatic(estimate, confidence)
        case .normal: break
        case .student: return estimate.student(confidence: confidence)
        case .hoeffding, .maurerPontil:
            if let interval = finiteSample(estimate, confidence) { return interval }
        case .cressieRead:
            if kind.intervals.contains(.likelihood) {
                return likelihood(estimate, confidence)
            }
        case .bootstrap:
            if let interval = bootstrap?.interval(
                confidence: confidence, { PolicyAnalysis.value(kind, $0) })
            {
                return interval.interval
            }
        case .blockBootstrap:
            if let interval = batches.blockBootstrap(
                kind, confidence: confidence, resamples: options.resamples, seed: options.seed)
            {
                return interval.interval
            }
        case .batchMeans:
            if let interval = batches.batchMeans(kind, confidence: confidence) {
                return interval.interval
            }
        case .betting, .bernstein, .gammaExponential:
            if kind.intervals.contains(.sequences) { return bounded(confidence) }
        case .asymptotic:
            if let moments = moments(of: estimate) {
                return AsymptoticSequence.interval(moments, confidence: confidence)
            }
        }
        return estimate.normal(confidence: confidence)
    }

    /// Uses batch means over time if decisions are autocorrelated, else the estimator's own
    /// interval.
    ///
    /// Student's t over batches covers the true value more often than resampling them (`make -C
    /// Benchmarks/evaluation coverage`).
    private func automatic(_ estimate: Estimate, _ confidence: Double) -> Interval {
        let kind = estimate.estimator.kind
        guard isDependent else {
            if kind.intervals.contains(.naturallyLikelihood) {
                return likelihood(estimate, confidence)
            }
            return closed(estimate, confidence)
        }
        if let interval = batches.batchMeans(kind, confidence: confidence) {
            return interval.interval
        }
        var wider = estimate
        wider.standardError = errorByTime(estimate)
        var interval = wider.normal(confidence: confidence)
        interval.method += ", widened by batch means"
        return interval
    }

    /// The standard error from batch means; for estimators without sums per batch, their own error
    /// times the ratio of the preferred estimator.
    private func errorByTime(_ estimate: Estimate) -> Double {
        batches.batchMeans(estimate.estimator.kind, confidence: 0.95)?.standardError
            ?? estimate.standardError * max(1, errorRatio ?? 1)
    }

    // MARK: Equal rewards

    /// The values that are possible although all decisions that the policy might have taken had
    /// equal rewards; nil if rewards differ.
    ///
    /// Let decisions with another reward have probability q in the log. With probability (1 - q)^n
    /// none is among n, so q is at most 1 - alpha^(1/n), about 3 / n at 95 % (the rule of three).
    /// They change the value by at most q times the largest weight times the distance to the ends
    /// of the range of rewards. Source: Hanley and Lippman-Hand, "If nothing goes wrong, is
    /// everything all right?", 1983; Clopper and Pearson, 1934.
    private func unseen(_ kind: EstimatorDescriptor, _ confidence: Double) -> Interval? {
        guard sums.count > 0 else { return nil }
        let (range, isKnown) = rewardRange
        guard let weightedRange else {
            return Interval(
                range.lowerBound, range.upperBound,
                method: "the range of rewards: the policy never chooses a logged action")
        }
        var reward = weightedRange.least
        var isConstant = weightedRange.least == weightedRange.greatest
        var (count, largest) = (sums.count, max(options.largestWeight ?? 0, sums.largestWeight))
        if kind.intervals.contains(.matchesOnly) {
            (count, largest) = (sums.matched.count, 1)
            isConstant = count > 0 && sums.matched.scatter == 0
            reward = sums.matched.origin
        }
        guard isConstant else { return nil }
        // This is 1 - alpha^(1/n) without loss of precision.
        let share = min(1, largest * -expm1(log(1 - confidence) / Double(count)))
        var method = "no narrower than for \(count) equal rewards"
        if !isKnown { method += ", rewards in the observed range" }
        return Interval(
            reward - share * max(0, reward - range.lowerBound),
            reward + share * max(0, range.upperBound - reward), method: method)
    }

    /// Widens an interval to contain another one.
    private func atLeast(_ least: Interval?, _ interval: Interval) -> Interval {
        guard let least else { return interval }
        if interval.low <= least.low, interval.high >= least.high { return interval }
        let isEmpty = !(interval.high > interval.low)
        return Interval(
            interval.low.isNaN ? least.low : min(interval.low, least.low),
            interval.high.isNaN ? least.high : max(interval.high, least.high),
            method: isEmpty ? least.method : interval.method + ", " + least.method)
    }

    /// The same for the gain over the recorded policy.
    private func unseenGain(_ confidence: Double) -> Interval? {
        guard let value = unseen(sums.hasModel ? .dr : .ips, confidence) else { return nil }
        let recorded = recordedInterval(confidence: confidence)
        return Interval(
            value.low - recorded.high, value.high - recorded.low, method: value.method)
    }

    /// The recorded mean; its error comes from batch means if decisions are autocorrelated.
    var recorded: Estimate {
        var estimate = sums.recorded
        if options.interval == .automatic {
            estimate.standardError *= batches.dependence(
                of: \.recorded, independent: estimate.standardError)
        }
        return estimate
    }

    /// The interval of the recorded mean: by batch means if decisions are autocorrelated and there
    /// are enough batches, and never narrower than equal rewards allow.
    public func recordedInterval(confidence: Double) -> Interval {
        let recorded = sums.recorded
        let isSmall = recorded.count < PolicyAnalysis.manyDecisions && options.interval != .normal
        var interval =
            isSmall
            ? recorded.student(confidence: confidence) : recorded.normal(confidence: confidence)
        if ![.normal, .student].contains(options.interval),
            batches.dependence(of: \.recorded, independent: recorded.standardError) > 1,
            let stretched = batches.batchMeans(confidence: confidence, \.recorded)
        {
            interval = stretched.interval
        }
        guard sums.count > 0, sums.leastReward == sums.greatestReward else { return interval }
        let (range, isKnown) = rewardRange
        let share = -expm1(log(1 - confidence) / Double(sums.count))
        let reward = sums.leastReward
        return Interval(
            reward - share * max(0, reward - range.lowerBound),
            reward + share * max(0, range.upperBound - reward),
            method: "no narrower than for \(sums.count) equal rewards"
                + (isKnown ? "" : ", rewards in the observed range"))
    }

    // MARK: Helpers

    /// Number of decisions from which the normal interval of DR needs no small-sample correction;
    /// the verdict covers few heavy weights among many decisions.
    private static let manyDecisions = 1000

    private func closed(_ estimate: Estimate, _ confidence: Double) -> Interval {
        // A single decision has no standard error; `unseen` gives the possible values.
        guard estimate.count > 1 else { return estimate.normal(confidence: confidence) }
        return closed(several: estimate, confidence)
    }

    private func closed(several estimate: Estimate, _ confidence: Double) -> Interval {
        estimate.count < PolicyAnalysis.manyDecisions
            ? estimate.student(
                confidence: confidence, effectiveSampleSize: sums.effectiveSampleSize)
            : estimate.normal(confidence: confidence)
    }

    private func moments(of estimate: Estimate) -> Moments? {
        switch estimate.estimator.kind.computation {
        case .scores(let score): sums.moments(of: score(estimate.lambda ?? 1))
        case .mean(let moments): sums.hasModel ? moments(sums) : nil
        case .sums, .adaptive: nil
        }
    }

    /// Computes an estimate from a resample's sums of counts, w, w r, d and w (r - q).
    private static func value(
        _ kind: EstimatorDescriptor, _ sums: UnsafeBufferPointer<Double>
    ) -> Double {
        let totals = TimeBatches.Batch(
            count: sums[0], weight: sums[1], inverse: sums[2], direct: sums[3], residual: sums[4])
        return totals.value(kind) ?? .nan
    }

    private func likelihood(_ estimate: Estimate, _ confidence: Double) -> Interval {
        let (range, isKnown) = rewardRange
        let largest = estimate.lambda ?? options.largestWeight ?? .infinity
        var interval = CressieRead(sums, largestWeight: largest)
            .interval(rewards: range, confidence: confidence)
        if !isKnown { interval.method += ", rewards in the observed range" }
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
            if !isKnown { interval.method += ", rewards in the observed range" }
        }
        return interval
    }

    /// The interval of a confidence sequence for rewards in a known range.
    private func bounded(_ confidence: Double) -> Interval {
        let (range, isKnown) = rewardRange
        let width = range.upperBound - range.lowerBound
        guard width > 0 else {
            return Interval(
                range.lowerBound, range.upperBound, method: options.interval.rawValue)
        }
        let scaled = keptRewards.lazy.map { ($0 - range.lowerBound) / width }
        var interval =
            switch options.interval {
            case .bernstein:
                BettingSequence.bernstein(
                    weights: keptWeights, rewards: scaled, confidence: confidence)
            case .gammaExponential:
                GammaExponentialSequence.interval(
                    weights: keptWeights, rewards: scaled, confidence: confidence)
            default:
                BettingSequence.interval(
                    weights: keptWeights, rewards: scaled, confidence: confidence)
            }
        interval.low = range.lowerBound + interval.low * width
        interval.high = range.lowerBound + interval.high * width
        if !isKnown { interval.method += ", rewards in the observed range" }
        return interval
    }

    // MARK: Gain over the recorded policy

    /// The gain of the policy over the recorded one, paired by decision: by DR, or by IPS without a
    /// reward model.
    public var gain: Estimate {
        if sums.hasModel { return sums.gainOverLogged }
        return Estimate(
            estimator: .ips, value: sums.inverse.mean - sums.logged.mean,
            standardError: inverseGainError, count: sums.count)
    }

    /// The gain; its error comes from batch means if decisions are autocorrelated.
    var reportedGain: Estimate {
        var estimate = gain
        if options.interval == .automatic, isDependent,
            let stretched = batches.batchMeans(confidence: 0.95, gainOf)
        {
            estimate.standardError = stretched.standardError
        }
        return estimate
    }

    /// The standard error of the mean of w r - r, from batch means.
    private var inverseGainError: Double {
        batches.batchMeans(confidence: options.confidence) {
            $0.inverse / $0.count - $0.recorded
        }?.standardError ?? .nan
    }

    /// The interval of the gain by the requested method; for several candidates the intervals hold
    /// simultaneously (Bonferroni).
    var gainInterval: Interval {
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
        case .automatic:
            if isDependent,
                let stretched = batches.batchMeans(confidence: confidence, gainOf)
            {
                interval = stretched.interval
            } else {
                interval = closed(gain, confidence)
            }
        default: interval = gain.normal(confidence: confidence)
        }
        interval = atLeast(unseenGain(confidence), interval)
        // Two decisions may have equal gains only because of how the model is fitted.
        if !(interval.high > interval.low), sums.leastReward < sums.greatestReward,
            let value = sums.estimate(Estimator(sums.hasModel ? .dr : .ips))
        {
            let own = self.interval(of: value, confidence: confidence)
            let recorded = recordedInterval(confidence: confidence)
            interval = atLeast(
                Interval(
                    own.low - recorded.high, own.high - recorded.low, method: "from both values"),
                interval)
        }
        interval.method += ", paired"
        if options.candidates > 1 { interval.method += ", \(options.candidates) at once" }
        return interval
    }

    private func gainOf(_ batch: TimeBatches.Batch) -> Double {
        sums.hasModel ? batch.gain : batch.inverse / batch.count - batch.recorded
    }

    /// Whether to deploy the policy; the decision is valid at any time.
    public func gate(_ verdict: Verdict) -> Gate {
        let confidence = options.simultaneousConfidence
        let scale = options.isLogarithmic ? 1 : sums.logged.mean.magnitude
        return Gate(
            atLeast(unseenGain(confidence), sequence(confidence)), verdict,
            margin: options.margin * (scale.isFinite ? scale : 0))
    }

    /// A time-uniform interval of the gain.
    private func sequence(_ confidence: Double) -> Interval {
        let (range, isKnown) = rewardRange
        if options.interval == .betting, isKnown, range.upperBound > range.lowerBound {
            let width = range.upperBound - range.lowerBound
            var interval = BettingSequence.gain(
                weights: keptWeights,
                rewards: keptRewards.lazy.map { ($0 - range.lowerBound) / width },
                confidence: confidence)
            interval.low *= width
            interval.high *= width
            return interval
        }
        guard sums.hasModel else {
            return Interval(-.infinity, .infinity, method: "no sequence without a reward model")
        }
        var interval = AsymptoticSequence.interval(sums.gain, confidence: confidence)
        if isDependent,
            let ratio = batches.errorRatio(
                of: gainOf, independent: sums.gain.standardError), ratio > 1
        {
            let middle = sums.gain.mean
            interval = Interval(
                middle - ratio * (middle - interval.low),
                middle + ratio * (interval.high - middle),
                method: interval.method + ", widened by batch means")
        }
        return interval
    }
}
