internal import PathTelemetry

/// What a path with a hard cap may still carry, by the counters of the connection.
///
/// What the peer sends until it knows that the path is removed arrives at the interface too: that
/// much is held back, as much as came in the latest round trip.
struct PathBudget {
    /// What a path has carried, with the headers of IP and UDP.
    struct Carried {
        var sent: UInt64 = 0
        var received: UInt64 = 0

        var total: UInt64 { sent &+ received }
    }

    /// Bytes from the moment on when `counted` was read.
    private var left: UInt64
    private(set) var path: PathID
    /// All that the path had carried when this began.
    private var counted: UInt64
    private var spent: UInt64 = 0
    /// What came in the latest round trip.
    private(set) var underWay: UInt64 = 0
    private var received: UInt64 = 0
    private var measuredAt = Instant.zero

    /// - Parameter former: the budget of the path so far, whose rate holds on.
    init(left: UInt64, path: PathID, counted: UInt64, after former: PathBudget? = nil) {
        self.left = left
        self.path = path
        self.counted = counted
        guard let former, former.path == path else { return }
        underWay = former.underWay
        received = former.received
        measuredAt = former.measuredAt
    }

    /// Whether the path has to be removed.
    var isSpent: Bool { spent &+ underWay >= left }

    /// When the rate of what comes is next measured.
    var isDue: Instant { measuredAt + .milliseconds(1) }

    /// Takes all that the path has carried so far.
    mutating func note(_ carried: Carried) {
        spent = carried.total >= counted ? carried.total - counted : 0
    }

    /// Measures the rate of what comes.
    mutating func measure(_ carried: Carried, roundTrip: TimeDelta, now: Instant) {
        let passed = now - measuredAt
        guard passed >= roundTrip else { return }
        let new = carried.received >= received ? carried.received - received : 0
        let share = measuredAt == .zero ? 0 : roundTrip.seconds / max(passed.seconds, 1e-6)
        underWay = UInt64(min(Double(new) * share, 1e12))
        received = carried.received
        measuredAt = now
    }

    /// Goes on with another number of the path, which has carried so much.
    mutating func move(to path: PathID, _ carried: Carried) {
        left -= min(left, spent)
        spent = 0
        underWay = 0
        received = carried.received
        measuredAt = .zero
        self.path = path
        counted = carried.total
    }
}
