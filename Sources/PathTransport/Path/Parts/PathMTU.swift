import PathTelemetry

/// The search for the largest datagram that a path carries: datagram packetization layer path MTU
/// discovery, RFC 8899 with the QUIC rules of RFC 9000, section 14.3.
struct PathMTU {
    /// BASE_PLPMTU: every validated path carries this (RFC 8899, 5.1.2).
    static let base = 1200
    /// MAX_PROBES (RFC 8899, 5.1.2).
    static let probeLimit = 3
    /// PMTU_RAISE_TIMER (RFC 8899, 5.1.1).
    static let raiseInterval = TimeDelta.seconds(600)
    /// The search ends when the size is known within this many bytes.
    static let tolerance = 16
    /// Consecutive probe time-outs after which a black hole is assumed (4.3).
    static let blackHoleTimeouts = 3
    /// Rounds in a row in which only packets above the base were lost, after which the same is assumed.
    static let blackHoleRounds = 3

    /// Largest UDP payload that is used.
    private(set) var current = PathMTU.base
    /// Largest size that could work: the limit of both ends and of the interface.
    private var ceiling: Int
    /// Smallest size known or believed to fail.
    private var failing: Int
    private var probed: Int?
    private var failures = 0
    private var nextProbeAt = Instant.zero
    private var triesCeiling = true
    /// Whether the size is known, and later probes ask only whether the path carries more by now.
    private(set) var isRaising = false
    /// Rounds with such losses since a packet above the base arrived, and when the next may count.
    private var lossRounds = 0
    private var nextRoundAt = Instant.zero

    init(ceiling: Int) {
        self.ceiling = max(PathMTU.base, ceiling)
        failing = self.ceiling + 1
    }

    /// The size to probe with now, if any.
    func probeSize(now: Instant) -> Int? {
        guard probed == nil, now >= nextProbeAt, current < ceiling else { return nil }
        // Most paths carry the interface's size, which one probe confirms.
        if triesCeiling { return ceiling }
        guard failing - current > PathMTU.tolerance else { return nil }
        return current + (failing - current) / 2
    }

    /// When a probe may be due; distant future while the search is over or a probe is in flight.
    var timeout: Instant {
        guard probed == nil, current < ceiling,
            triesCeiling || failing - current > PathMTU.tolerance
        else { return .distantFuture }
        return nextProbeAt
    }

    mutating func handleProbeSent(_ size: Int) { probed = size }

    mutating func handleProbeAcknowledged(_ size: Int, now: Instant) {
        guard size == probed || size > current else { return }
        probed = nil
        failures = 0
        triesCeiling = false
        current = max(current, min(size, ceiling))
        failing = max(failing, current + 1)
        rest(now)
    }

    mutating func handleProbeLost(_ size: Int, now: Instant) {
        guard size == probed else { return }
        probed = nil
        failures += 1
        // The first size is only a guess: after one loss the search begins.
        guard failures >= PathMTU.probeLimit || triesCeiling else { return }
        failures = 0
        triesCeiling = false
        failing = min(failing, size)
        rest(now)
    }

    /// The system refused a datagram as too large (EMSGSIZE, or ICMP): the path carries `limit`
    /// bytes.
    mutating func handleTooBig(limit: Int, now: Instant) {
        let bounded = max(PathMTU.base, limit)
        triesCeiling = false
        failing = min(failing, bounded + 1)
        current = min(current, bounded)
        probed = nil
        rest(now)
    }

    /// Takes consecutive probe time-outs: the path may no longer carry full-size packets (4.3).
    mutating func handleProbeTimeouts(_ count: Int, now: Instant) {
        probed = nil
        guard count >= PathMTU.blackHoleTimeouts, current > PathMTU.base else { return }
        fallBack(now)
    }

    /// Takes the arrival of packets.
    mutating func handleArrived(largest: Int) {
        if largest > PathMTU.base { lossRounds = 0 }
    }

    /// Takes losses that acknowledgements of later packets have shown; returns whether the size is the
    /// base again.
    ///
    /// A path that has become narrower still carries small packets, also those that probe it after a
    /// time-out, so that time-outs in a row never come: what is above the base is lost, round after
    /// round, and what is below arrives.
    mutating func handleLosses(smallest: Int, rtt: TimeDelta, now: Instant) -> Bool {
        guard current > PathMTU.base, smallest > PathMTU.base, now >= nextRoundAt else {
            return false
        }
        lossRounds += 1
        nextRoundAt = now + rtt
        guard lossRounds >= PathMTU.blackHoleRounds else { return false }
        fallBack(now)
        return true
    }

    private mutating func fallBack(_ now: Instant) {
        lossRounds = 0
        failing = current
        isRaising = false
        current = PathMTU.base
        triesCeiling = false
        failures = 0
        nextProbeAt = now + .seconds(1)
    }

    private mutating func rest(_ now: Instant) {
        let isSettled = failing - current <= PathMTU.tolerance
        guard isSettled, current < ceiling else { return }
        failing = ceiling + 1
        isRaising = true
        nextProbeAt = now + PathMTU.raiseInterval
    }
}
