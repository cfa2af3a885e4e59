import PathTelemetry

/// Decides when idle paths are probed, and what that may cost.
///
/// Paths without a price are probed quickly while this side's data pays for it: probes and their
/// answers stay below two percent of its bytes.
struct ProbeBudget {
    /// Data bytes that pay for one byte of quick probes.
    private static let bytesPerProbeByte = 50
    /// The most that a quick probe and its answer cost, and the most credit that can be saved.
    private static let cost = bytesPerProbeByte * 200
    private static let creditLimit = 16 * cost

    private let quickInterval: TimeDelta
    private let idleInterval: TimeDelta
    private let meteredInterval: TimeDelta
    private let keepaliveInterval: TimeDelta
    private let failedInterval: TimeDelta
    /// No idle path is probed after less time, unless the connection would end sooner.
    private let leastInterval: TimeDelta
    /// Interval of probes of a metered standby path while another path works.
    private static let reserveInterval = TimeDelta.seconds(60)
    /// A standby path that was asked longer ago is asked again when it is needed.
    static let reserveAge = TimeDelta.seconds(5)
    /// How much longer a path has been silent than the interval of its probes.
    private static let patience: Int64 = 50
    /// How long after its failure a path is asked more often, if no other works.
    private static let urgency = TimeDelta.seconds(10)
    /// When application data was last sent.
    private var lastPayloadAt: Instant?
    /// Bytes of data that have not been used to pay for probes yet.
    private var credit = 0

    init(_ configuration: ConnectionConfiguration) {
        quickInterval = configuration.quickProbeInterval
        idleInterval = configuration.idleProbeInterval
        meteredInterval = configuration.meteredProbeInterval
        keepaliveInterval = configuration.keepaliveInterval
        failedInterval = configuration.failedProbeInterval
        leastInterval = min(
            min(quickInterval, idleInterval), min(meteredInterval, keepaliveInterval),
            ProbeBudget.reserveInterval)
    }

    /// Notes that application data was sent.
    mutating func notePayload(bytes: Int, now: Instant) {
        lastPayloadAt = now
        credit = min(credit + bytes, ProbeBudget.creditLimit)
    }

    /// Notes that a quick probe was sent; its answer is about as large.
    mutating func pay(datagram bytes: Int) { credit -= ProbeBudget.bytesPerProbeByte * 2 * bytes }

    /// Whether the path is active and free of charge, this side sends data, and the data pays for
    /// another probe.
    func isQuick(_ path: borrowing Path) -> Bool {
        guard let lastPayloadAt, credit >= ProbeBudget.cost, path.state == .active,
            !(path.traits.pricePerGB > 0)
        else { return false }
        return path.lastAskedAt + quickInterval <= lastPayloadAt + .seconds(1)
    }

    /// The interval of probes of a failed path: a fiftieth of the time since it failed, within
    /// bounds, so that an outage is found to be over within about a fiftieth of its length.
    ///
    /// While no path works it is a quarter as long at first, since nothing else is sent.
    ///
    /// - Parameter othersWork: another path is in service.
    func interval(failed path: borrowing Path, othersWork: Bool, now: Instant) -> TimeDelta {
        let age = now - path.stateChangedAt
        let isUrgent =
            !othersWork && age < ProbeBudget.urgency && !(path.traits.pricePerGB > 0)
        return max(
            isUrgent ? failedInterval / 4 : failedInterval,
            min(age / ProbeBudget.patience, ProbeBudget.longest(path, othersWork: othersWork)))
    }

    /// The longest interval between two attempts to reach the peer over a path that does not work.
    static func longest(_ path: borrowing Path, othersWork: Bool) -> TimeDelta {
        if path.traits.pricePerGB > 0 || path.peerStatus == .standby {
            return .seconds(othersWork ? 60 : 5)
        }
        return .seconds(othersWork ? 2 : 1)
    }

    /// Whether a path that carries nothing may be probed at a time or before it, which costs less
    /// than to know when.
    func mayBeDue(
        _ path: borrowing Path, by limit: Instant, idleTimeout: TimeDelta
    ) -> Bool {
        path.lastAskedAt + min(leastInterval, idleTimeout / 3) <= limit
    }

    /// When a path that carries nothing is next probed.
    ///
    /// It counts from the latest ack-eliciting packet, since acknowledgements are not answered and
    /// prove nothing about the path.
    ///
    /// - Parameters:
    ///   - isBusy: data flows in either direction.
    ///   - hasActive: a path in use works, so a standby path is not needed.
    ///   - idleTimeout: time after which an idle connection ends.
    func due(
        _ path: borrowing Path, isBusy: Bool, hasActive: Bool, idleTimeout: TimeDelta
    ) -> Instant {
        let asked = path.lastAskedAt
        if isQuick(path) { return asked + quickInterval }
        if path.state == .standby, hasActive {
            if path.traits.pricePerGB > 0 {
                return asked + max(ProbeBudget.reserveInterval, keepaliveInterval)
            }
            // A server asks when the client does, which knows the price of the path.
            if path.peerStatus == .standby, path.lastHeardAskingAt <= asked {
                return asked + ProbeBudget.reserveInterval * Int64(2)
            }
        }
        guard isBusy else { return asked + min(keepaliveInterval, idleTimeout / 3) }
        // A side that only receives probes as often as the peer, which knows the price of the path.
        let isLeft = lastPayloadAt == nil && path.lastHeardAskingAt <= asked
        return asked + (path.traits.pricePerGB > 0 || isLeft ? meteredInterval : idleInterval)
    }
}
