import PathTelemetry

/// When idle paths are asked whether they still work, and what that may cost.
///
/// Paths without a price are probed quickly while data of this side pays for it: the probes and their
/// answers stay below two percent of its bytes.
struct ProbeBudget {
    /// Data bytes that pay for one byte of quick probes.
    private static let bytesPerProbeByte = 50
    /// What a quick probe and its answer cost at the most, and how many can be saved up.
    private static let cost = bytesPerProbeByte * 200
    private static let creditLimit = 16 * cost

    private let quickInterval: TimeDelta
    private let idleInterval: TimeDelta
    private let meteredInterval: TimeDelta
    private let keepaliveInterval: TimeDelta
    /// When data of the application last left.
    private var lastPayloadAt: Instant?
    /// Bytes of data that have not been used to pay for probes yet.
    private var credit = 0

    init(_ configuration: ConnectionConfiguration) {
        quickInterval = configuration.quickProbeInterval
        idleInterval = configuration.idleProbeInterval
        meteredInterval = configuration.meteredProbeInterval
        keepaliveInterval = configuration.keepaliveInterval
    }

    /// Data of the application left.
    mutating func notePayload(bytes: Int, now: Instant) {
        lastPayloadAt = now
        credit = min(credit + bytes, ProbeBudget.creditLimit)
    }

    /// A quick probe left; its answer is about as large.
    mutating func pay(datagram bytes: Int) { credit -= ProbeBudget.bytesPerProbeByte * 2 * bytes }

    /// The path may be chosen for data that this side sends now, costs nothing, and the data pays
    /// for another probe.
    func isQuick(_ path: borrowing Path) -> Bool {
        guard let lastPayloadAt, credit >= ProbeBudget.cost, path.state == .active,
            !(path.traits.pricePerGB > 0)
        else { return false }
        return path.lastAskedAt + quickInterval <= lastPayloadAt + .seconds(1)
    }

    /// When a path that carries nothing is next probed.
    ///
    /// Counted from the latest packet that the peer has to answer: acknowledgements, which are not
    /// answered, say nothing of the way.
    ///
    /// - Parameters:
    ///   - isBusy: data flows in either direction.
    ///   - idleTimeout: after which the connection ends.
    func due(_ path: borrowing Path, isBusy: Bool, idleTimeout: TimeDelta) -> Instant {
        let asked = path.lastAskedAt
        if isQuick(path) { return asked + quickInterval }
        guard isBusy else { return asked + min(keepaliveInterval, idleTimeout / 3) }
        // Who only listens asks as often as the peer, which knows what the path costs.
        let isLeft = lastPayloadAt == nil && path.lastHeardAskingAt <= asked
        return asked + (path.traits.pricePerGB > 0 || isLeft ? meteredInterval : idleInterval)
    }
}
