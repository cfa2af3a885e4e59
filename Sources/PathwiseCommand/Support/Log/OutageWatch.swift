import Pathwise

/// Notices when no path of a session works any more, and when one works again.
struct OutageWatch: Sendable {
    /// What a look found.
    enum Change: Equatable, Sendable {
        /// No path works; the session is kept for this long.
        case began(rest: Duration)
        /// A path works again, after this time without one.
        case ended(after: Duration)
    }

    /// When the outage began, as time since the session did; nil without one.
    private var since: Duration?

    /// Looks at a session, some times a second; nil if nothing has changed.
    mutating func look(_ health: SessionHealth) -> Change? {
        if let since {
            guard health.hasPath else { return nil }
            self.since = nil
            return .ended(after: health.elapsed - since)
        }
        guard !health.works else { return nil }
        since = health.elapsed - health.silence
        return .began(rest: health.rest)
    }
}

extension OutageWatch.Change {
    /// Its name in JSON.
    var event: String {
        switch self {
        case .began: "no_path"
        case .ended: "works"
        }
    }
}
