public import PathTelemetry

/// What a policy needs from its host.
///
/// The transport checks needs and never names, so that a new policy needs no change there.
public struct PolicyNeeds: Hashable, Sendable {
    /// The only path that may carry data, even while it is not usable; nil means any path.
    public var boundPath: PathID?
    /// Whether paths without room are candidates too, to wait for them or to send copies there.
    public var fullPaths = false
    /// Whether a transfer leaves a path alone on which a burst would arrive later than all that is left
    /// on others that cost no more.
    public var leavesSlowPaths = false
    /// Data that is unacknowledged for longer than this is queued once for another path.
    public var reinjection: ReinjectionAge?
    /// Whether it also learns from outcomes of forced decisions.
    public var forcedFeedback = false
    /// Whether it can start from a model.
    public var model = false
    /// Whether it is told which action was drawn from its distribution.
    public var choices = false

    public init() {}

    /// The same needs, changed: `PolicyNeeds().with { $0.fullPaths = true }`.
    public func with(_ change: (inout PolicyNeeds) -> Void) -> PolicyNeeds {
        var needs = self
        change(&needs)
        return needs
    }
}

/// The age at which unacknowledged data is also sent on another path: `max(min(factor rtt,
/// longest), least)`.
public struct ReinjectionAge: Hashable, Sendable {
    /// Age in round trips of the fastest path.
    public var factor: Double
    /// Age at which data is always re-injected, and below which it never is, seconds.
    public var longest: Double
    public var least: Double

    public init(factor: Double, longest: Double, least: Double) {
        self.factor = factor
        self.longest = longest
        self.least = least
    }

    /// The age, from the least smoothed RTT of all paths.
    public func age(fastest: TimeDelta) -> TimeDelta {
        TimeDelta(seconds: max(min(factor * fastest.seconds, longest), least))
    }
}
