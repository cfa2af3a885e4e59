public import PathTelemetry

/// What changes at known times, beyond what an option string can say.
extension LinkSpecification {
    /// Adds an outage, whose start must not be negative.
    ///
    /// - Parameters:
    ///   - from: its start, after the link's origin.
    ///   - to: the first moment after it.
    ///   - every: the interval of repeats; zero for none.
    ///   - direction: the direction that it hits; nil is both.
    public mutating func addOutage(
        from: TimeDelta, to: TimeDelta, every: TimeDelta = .zero,
        in direction: LinkDirection? = nil
    ) {
        add([LinkParameters.Outage(start: from, end: to, period: every)], in: direction)
    }

    /// Adds outages without repeats.
    ///
    /// - Parameters:
    ///   - spans: from the start of each to the first moment after it.
    ///   - direction: the direction that they hit; nil is both.
    public mutating func addOutages(
        _ spans: [Range<TimeDelta>], in direction: LinkDirection? = nil
    ) {
        add(
            spans.map { LinkParameters.Outage(start: $0.lowerBound, end: $0.upperBound) },
            in: direction)
    }

    private mutating func add(
        _ outages: [LinkParameters.Outage], in direction: LinkDirection?
    ) {
        if direction != .backward { forward.add(outages) }
        if direction != .forward { backward.add(outages) }
    }

    /// Takes rate, delay and faults of another specification from a time on, which must be later
    /// than that of earlier changes.
    ///
    /// Outages stay. A trace, a queue and a size limit do not change.
    public mutating func change(to next: LinkSpecification, at time: TimeDelta) {
        forward.change(to: next.forward, at: time)
        backward.change(to: next.backward, at: time)
    }

    /// Changes rates, delay and loss from a time on, as `change(to:at:)` does; nil leaves a quantity as it
    /// is in this specification.
    package mutating func change(
        at time: TimeDelta, forwardMegabits: Double? = nil, backwardMegabits: Double? = nil,
        delayMilliseconds: Double? = nil, loss: Double? = nil
    ) {
        var next = self
        // Else each change would copy all changes before it.
        next.forward.phases = []
        next.forward.rateSteps = []
        next.backward.phases = []
        next.backward.rateSteps = []
        if let forwardMegabits { next.forward.rateMegabits = forwardMegabits }
        if let backwardMegabits { next.backward.rateMegabits = backwardMegabits }
        if let delayMilliseconds {
            next.forward.delayMilliseconds = delayMilliseconds
            next.backward.delayMilliseconds = delayMilliseconds
        }
        if let loss {
            next.forward.loss = loss
            next.backward.loss = loss
        }
        change(to: next, at: time)
    }

    /// Lets the fate of packets depend on time alone (`LinkParameters.drawsByTime`).
    public mutating func drawByTime() {
        forward.drawsByTime = true
        backward.drawsByTime = true
    }
}

extension LinkParameters {
    fileprivate mutating func add(_ added: [Outage]) {
        outages += added
        for index in phases.indices { phases[index].faults[Outages.self].spans = outages }
    }

    fileprivate mutating func change(to next: LinkParameters, at time: TimeDelta) {
        if trace == nil, next.rateMegabits != (rateSteps.last?.megabits ?? rateMegabits) {
            rateSteps.append(RateStep(at: time, megabits: next.rateMegabits))
        }
        var faults = next.faults
        faults[Outages.self].spans = outages
        let before =
            phases.last
            ?? Phase(
                at: .zero, delayMilliseconds: delayMilliseconds, faults: self.faults)
        if faults != before.faults || next.delayMilliseconds != before.delayMilliseconds {
            phases.append(
                Phase(at: time, delayMilliseconds: next.delayMilliseconds, faults: faults))
        }
    }
}
