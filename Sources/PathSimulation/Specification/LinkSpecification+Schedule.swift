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

    /// Takes rate, delay, faults, queue, policer and size limit of another specification from a time
    /// on, until the next later change.
    ///
    /// Outages stay, and so does a trace or a series of rates. A link without a rate stays so.
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
        var next = withoutChanges
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

    /// The link as it begins; with its changes, each further one would copy all before it.
    private var withoutChanges: LinkSpecification {
        LinkSpecification(
            name: name, forward: forward.withoutChanges, backward: backward.withoutChanges)
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

    fileprivate var withoutChanges: LinkParameters {
        var parameters = self
        parameters.phases = []
        parameters.rateSteps = []
        parameters.intakeSteps = []
        return parameters
    }

    /// What holds at a time, without what changes later.
    func asOf(_ time: TimeDelta) -> LinkParameters {
        var parameters = withoutChanges
        if let step = rateSteps.last(where: { $0.at <= time }) {
            parameters.rateMegabits = step.megabits
        }
        if let phase = phases.last(where: { $0.at <= time }) {
            parameters.delayMilliseconds = phase.delayMilliseconds
            parameters.faults = phase.faults
        }
        if let step = intakeSteps.last(where: { $0.at <= time }) { parameters.intake = step.intake }
        return parameters
    }

    /// The places at which a change was put, for those who have read a part of the lists.
    struct ChangePlaces {
        var rate: Int?
        var phase: Int?
        var intake: Int?
    }

    /// Takes rate, delay, faults and intake of other parameters from a time on.
    @discardableResult
    mutating func change(to next: LinkParameters, at time: TimeDelta) -> ChangePlaces {
        var places = ChangePlaces()
        let rate = LinkParameters.place(of: time, in: rateSteps) { $0.at }
        let rateBefore = rate > 0 ? rateSteps[rate - 1].megabits : rateMegabits
        if trace == nil, rateSeries == nil, rateBefore > 0, next.rateMegabits > 0,
            next.rateMegabits != rateBefore
        {
            rateSteps.insert(RateStep(at: time, megabits: next.rateMegabits), at: rate)
            places.rate = rate
        }
        var faults = next.faults
        faults[Outages.self].spans = outages
        let place = LinkParameters.place(of: time, in: phases) { $0.at }
        let before =
            place > 0
            ? phases[place - 1]
            : Phase(at: .zero, delayMilliseconds: delayMilliseconds, faults: self.faults)
        if faults != before.faults || next.delayMilliseconds != before.delayMilliseconds {
            phases.insert(
                Phase(at: time, delayMilliseconds: next.delayMilliseconds, faults: faults),
                at: place)
            places.phase = place
        }
        let step = LinkParameters.place(of: time, in: intakeSteps) { $0.at }
        if next.intake != (step > 0 ? intakeSteps[step - 1].intake : intake) {
            intakeSteps.insert(IntakeStep(at: time, intake: next.intake), at: step)
            places.intake = step
        }
        return places
    }

    /// The place behind all steps up to a time; nearly always it is the end.
    private static func place<Step>(
        of time: TimeDelta, in steps: [Step], _ at: (Step) -> TimeDelta
    ) -> Int {
        steps.lastIndex { at($0) <= time }.map { $0 + 1 } ?? 0
    }
}
