import Glibc
public import PathTelemetry

/// Why the guard demoted the learned policy to the steady rule.
public enum DemotionReason: UInt8, Sendable, CaseIterable {
    /// A score was not finite.
    case notFinite
    /// The models predicted deliveries worse than the heuristic.
    case wrongDelivery
    /// Many more bursts were late than predicted.
    case wrongLateness
    /// A regression lost its data because it could not be solved.
    case unstable

    /// The words used in tables, JSON and traces.
    public var name: String {
        switch self {
        case .notFinite: "not finite"
        case .wrongDelivery: "wrong deliveries"
        case .wrongLateness: "wrong lateness"
        case .unstable: "unstable"
        }
    }
}

/// An action of the guard.
public enum GuardEvent: Sendable, Equatable {
    /// The steady rule decides from now on.
    case demoted(DemotionReason, at: Instant)
    /// The learned policy decides again.
    case restored(at: Instant)
    /// The models dropped what they had learned, and keep deciding.
    case relearning(DemotionReason, at: Instant)
}

/// Compares the models' predictions with outcomes, and keeps the models from deciding while they
/// are wrong.
///
/// It compares the outcomes of about the last second with the predictions of the models and of the
/// heuristic. Models that are much worse lose what they learned; they are also demoted if they
/// started from a trained model, if it happens again within ten seconds, or if a number is not
/// finite. They return after a hold-down, longer each time, once their errors are not larger than
/// the heuristic's.
struct PolicyGuard: Sendable {
    private static let halfLife = 1.0
    /// The least discounted number of outcomes for a conclusion.
    private static let least = 8.0
    /// Outcomes say little while all are of bursts that were sent before the first was answered, as at
    /// the start of a session: a conclusion takes this time, or so many outcomes.
    private static let firstLook = (seconds: 0.2, count: 64)
    private static let holdDown = 5.0
    private static let longestHoldDown = 60.0
    private static let patience = 10.0

    /// Whether the steady rule decides.
    private(set) var isDemoted = false
    /// How often that happened.
    private(set) var demotions: UInt64 = 0

    private var count = 0.0
    private var modelError = 0.0
    private var heuristicError = 0.0
    private var late = 0.0
    private var promisedLate = 0.0
    /// Outcomes since the numbers above were cleared, and when the first of them came.
    private var seen = (count: 0, since: Instant.zero)
    private var returnsAt = Instant.zero
    private var lastTrouble: Instant?
    private var resets: UInt64 = 0
    /// The latest events in order; if nobody polls, the oldest are lost.
    private var events: InlineArray<4, GuardEvent?> = [nil, nil, nil, nil]
    private var firstEvent = 0
    private var eventCount = 0

    /// What to do about an outcome.
    enum Verdict: Equatable {
        case fine
        /// Drop what was learned, including a trained model's prior.
        case relearn
    }

    /// Takes one outcome: the errors of log delivery of the models and of the heuristic, and the
    /// predicted probability of lateness.
    mutating func learn(
        modelError: Double, heuristicError: Double, promisedLate: Double, isLate: Bool,
        resets: UInt64, startedFromModel: Bool, elapsed: Double, now: Instant
    ) -> Verdict {
        guard modelError.isFinite, promisedLate.isFinite else {
            demote(.notFinite, now)
            return .relearn
        }
        let decay = exp2(-elapsed / PolicyGuard.halfLife)
        count = count * decay + 1
        if seen.count == 0 { seen.since = now }
        seen.count &+= 1
        self.modelError = self.modelError * decay + min(modelError * modelError, 9)
        self.heuristicError =
            self.heuristicError * decay + min(heuristicError * heuristicError, 9)
        late = late * decay + (isLate ? 1 : 0)
        self.promisedLate = self.promisedLate * decay + promisedLate
        if resets != self.resets {
            self.resets = resets
            return trouble(.unstable, startedFromModel: startedFromModel, now)
        }
        if count >= PolicyGuard.least, isAnswered(now),
            self.modelError > 2 * self.heuristicError + 0.05 * count
        {
            return trouble(.wrongDelivery, startedFromModel: startedFromModel, now)
        }
        if count >= 4 * PolicyGuard.least, late - self.promisedLate > 0.3 * count {
            return trouble(.wrongLateness, startedFromModel: startedFromModel, now)
        }
        if isDemoted, now >= returnsAt, count >= PolicyGuard.least,
            self.modelError <= 1.1 * self.heuristicError + 0.005 * count
        {
            isDemoted = false
            add(.restored(at: now))
        }
        return .fine
    }

    /// Whether outcomes of bursts that were sent after others were answered can be among those seen.
    private func isAnswered(_ now: Instant) -> Bool {
        seen.count >= PolicyGuard.firstLook.count
            || (now - seen.since).seconds >= PolicyGuard.firstLook.seconds
    }

    /// Demotes the models: the steady rule decides at once.
    mutating func demote(_ reason: DemotionReason, _ now: Instant) {
        lastTrouble = now
        clear()
        let wait = min(
            PolicyGuard.longestHoldDown,
            PolicyGuard.holdDown * Double(1 << Int(min(demotions, 4))))
        // Up to a fifth is added, so that several senders do not return at the same time.
        let jitter = Double(now.nanoseconds & 0xffff) / 65_536 * 0.2
        returnsAt = now + TimeDelta(seconds: wait * (1 + jitter))
        guard !isDemoted else { return }
        isDemoted = true
        demotions &+= 1
        add(.demoted(reason, at: now))
    }

    private mutating func trouble(
        _ reason: DemotionReason, startedFromModel: Bool, _ now: Instant
    ) -> Verdict {
        let again = lastTrouble.map { (now - $0).seconds < PolicyGuard.patience } ?? false
        if isDemoted {
            // Outcomes from before the demotion do not extend it: a return requires small errors
            // anyway.
            clear()
        } else if startedFromModel || again {
            demote(reason, now)
        } else {
            lastTrouble = now
            clear()
            add(.relearning(reason, at: now))
        }
        return .relearn
    }

    private mutating func clear() {
        count = 0
        modelError = 0
        heuristicError = 0
        late = 0
        promisedLate = 0
        seen = (0, .zero)
    }

    private mutating func add(_ event: GuardEvent) {
        if eventCount == 4 {
            firstEvent = (firstEvent + 1) & 3
            eventCount -= 1
        }
        events[(firstEvent + eventCount) & 3] = event
        eventCount += 1
    }

    /// The oldest pending event.
    mutating func pollEvent() -> GuardEvent? {
        guard eventCount > 0 else { return nil }
        let event = events[firstEvent]
        firstEvent = (firstEvent + 1) & 3
        eventCount -= 1
        return event
    }
}
