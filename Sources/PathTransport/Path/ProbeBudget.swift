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
    /// When application data was last sent.
    private var lastPayloadAt: Instant?
    /// Bytes of data that have not been used to pay for probes yet.
    private var credit = 0

    init(_ configuration: ConnectionConfiguration) {
        quickInterval = configuration.quickProbeInterval
        idleInterval = configuration.idleProbeInterval
        meteredInterval = configuration.meteredProbeInterval
        keepaliveInterval = configuration.keepaliveInterval
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

    /// When a path that carries nothing is next probed.
    ///
    /// It counts from the latest ack-eliciting packet, since acknowledgements are not answered and
    /// prove nothing about the path.
    ///
    /// - Parameters:
    ///   - isBusy: data flows in either direction.
    ///   - idleTimeout: time after which an idle connection ends.
    func due(_ path: borrowing Path, isBusy: Bool, idleTimeout: TimeDelta) -> Instant {
        let asked = path.lastAskedAt
        if isQuick(path) { return asked + quickInterval }
        guard isBusy else { return asked + min(keepaliveInterval, idleTimeout / 3) }
        // A side that only receives probes as often as the peer, which knows the price of the path.
        let isLeft = lastPayloadAt == nil && path.lastHeardAskingAt <= asked
        return asked + (path.traits.pricePerGB > 0 || isLeft ? meteredInterval : idleInterval)
    }
}
