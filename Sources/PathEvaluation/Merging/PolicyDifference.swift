/// The difference of two policies' DR scores, paired by decision.
struct PolicyDifference: Sendable {
    private var moments = Moments()
    private var stretches = TimeBatches()
    private var adaptive: [AdaptiveSums]

    /// - Parameter estimators: those among them that weigh adaptively have sums.
    init(_ estimators: [Estimator]) { adaptive = AdaptiveSums.needed(for: estimators) }

    /// Adds one decision.
    ///
    /// - Parameter square: the squared difference of both policies' weights, whose expectation is
    ///   the sum over actions of the squared difference of their probabilities over the recorded
    ///   one.
    mutating func add(_ difference: Double, square: Double) {
        moments.add(difference)
        stretches.add(weight: 1, reward: difference, modelled: 0, direct: 0)
        for index in adaptive.indices { adaptive[index].add(difference, variance: square) }
    }

    /// Keeps no more than a file needs.
    mutating func condense() { stretches.condense() }

    /// Appends a later part of the log.
    mutating func merge(_ later: PolicyDifference) {
        moments.merge(later.moments)
        stretches.merge(later.stretches)
        for index in adaptive.indices where index < later.adaptive.count {
            adaptive[index].merge(later.adaptive[index])
        }
    }

    /// Writes or reads all numbers.
    mutating func transfer(_ stream: inout NumberStream) {
        moments.transfer(&stream)
        stretches.transfer(&stream)
        for index in adaptive.indices { adaptive[index].transfer(&stream) }
    }

    /// The mean difference, with batch means if decisions are autocorrelated.
    func plain(_ options: AnalysisOptions) -> (estimate: Estimate, interval: Interval) {
        let confidence = options.simultaneousConfidence
        let estimate = Estimate(
            estimator: .dr, value: moments.mean, standardError: moments.standardError,
            count: moments.count)
        var interval = estimate.normal(confidence: confidence)
        if ![.normal, .student].contains(options.interval), dependence > 1,
            let stretched = stretches.batchMeans(confidence: confidence, \.recorded)
        {
            interval = stretched.interval
        }
        return (estimate, named(interval, options))
    }

    /// The same by each adaptively weighted estimator.
    func adaptive(_ options: AnalysisOptions) -> [(estimate: Estimate, interval: Interval)] {
        options.estimators.compactMap { estimator in
            AdaptiveSums.estimate(adaptive, estimator).map { estimate in
                var wider = estimate
                if ![.normal, .student].contains(options.interval) {
                    wider.standardError *= dependence
                }
                return (
                    estimate,
                    named(wider.normal(confidence: options.simultaneousConfidence), options)
                )
            }
        }
    }

    /// How much larger the error is than for independent decisions.
    private var dependence: Double {
        stretches.dependence(of: \.recorded, independent: moments.standardError)
    }

    private func named(_ interval: Interval, _ options: AnalysisOptions) -> Interval {
        var interval = interval
        interval.method += ", paired"
        if options.candidates > 1 { interval.method += ", \(options.candidates) at once" }
        return interval
    }
}
