public import PathTelemetry

/// What a policy needs of whoever runs it.
///
/// The transport asks for needs and never for names, so that a new policy changes nothing there.
public struct PolicyNeeds: Hashable, Sendable {
    /// The one path that may carry data, however long it is out of service; nil: every path may.
    public var boundPath: PathID?
    /// Paths without room are candidates too: to wait for them, or to send copies there.
    public var fullPaths = false
    /// What is unanswered for longer than this is queued again for another path, once.
    public var reinjection: ReinjectionAge?
    /// It learns from outcomes of decisions that had no choice, too.
    public var forcedFeedback = false
    /// It starts from a model where one is given.
    public var model = false
    /// It hears which action was drawn from its distribution.
    public var choices = false

    public init() {}

    /// The same needs, changed: `PolicyNeeds().with { $0.fullPaths = true }`.
    public func with(_ change: (inout PolicyNeeds) -> Void) -> PolicyNeeds {
        var needs = self
        change(&needs)
        return needs
    }
}

/// The age from which unanswered data goes again on another path:
/// `max(min(factor rtt, longest), least)`.
public struct ReinjectionAge: Hashable, Sendable {
    /// Age in round trips of the fastest path.
    public var factor: Double
    /// Age at which data goes again whatever the round trip, and below which it never does, seconds.
    public var longest: Double
    public var least: Double

    public init(factor: Double, longest: Double, least: Double) {
        self.factor = factor
        self.longest = longest
        self.least = least
    }

    /// The age by the least smoothed RTT of all paths.
    public func age(fastest: TimeDelta) -> TimeDelta {
        TimeDelta(seconds: max(min(factor * fastest.seconds, longest), least))
    }
}
