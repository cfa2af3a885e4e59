/// The offset between the receiver's clock and the sender's, estimated from all paths.
///
/// Every raw one-way delay contains the same unknown offset, so delays of several paths are
/// comparable whatever is subtracted; a good estimate only makes them meaningful in seconds. As in
/// NTP (RFC 5905, sections 8 and 10), each packet with its acknowledgement is a sample: the offset is
/// `raw delay - round trip / 2`, wrong by at most half that round trip, so the sample with the
/// shortest one counts, on whatever path. One whose acknowledgement came back over another path counts
/// as if it had taken twice as long, since its two halves are unlike. The error is taken to grow by the
/// drift of two clocks, and on each path the offset lies between `least raw delay - least RTT` (all
/// delay is forward) and `least raw delay` (none is).
public struct ClockOffset: Sendable {
    private var least = InlineArray<16, Int64>(repeating: 0)
    private var rtt = InlineArray<16, Int64>(repeating: 0)
    private var known: PathSet = .wait
    /// The sample that counts, its error in seconds, and when it was taken.
    private var best: (offset: TimeDelta, error: Double, time: Instant)?

    /// Receiver's clock minus sender's; nil before the first stamped acknowledgement.
    public private(set) var estimate: TimeDelta?

    public init() {}

    /// Seconds by which two clocks may part in a second; oscillators of computers are within 50 ppm
    /// of each other as a rule.
    private static let drift = 50e-6

    /// Takes an acknowledged packet.
    ///
    /// - Parameters:
    ///   - raw: the receiver's stamp minus the time of sending.
    ///   - roundTrip: time from sending the packet to its acknowledgement, without the time for which
    ///     the receiver held that back; a sample of zero or less is left out.
    ///   - isSamePath: whether the acknowledgement came back on the packet's path.
    public mutating func handleSample(
        raw: TimeDelta, roundTrip: TimeDelta, isSamePath: Bool, now: Instant
    ) {
        guard roundTrip > .zero else { return }
        let error = roundTrip.seconds / (isSamePath ? 4 : 2)
        if let best {
            let age = max(0, (now - best.time).seconds)
            guard error < best.error + ClockOffset.drift * age else { return }
        }
        best = (raw - roundTrip / 2, error, now)
        solve()
    }

    /// Takes the evidence of a path, which bounds the estimate.
    @inline(__always)
    mutating func update(path: PathID, from evidence: borrowing PathEvidence) {
        guard let raw = evidence.rawDelayMinimum, let rtt = evidence.minRTT,
            path.index < PathID.limit
        else { return }
        let same =
            known.contains(path) && least[path.index] == raw.nanoseconds
            && self.rtt[path.index] == rtt.nanoseconds
        guard !same else { return }
        least[path.index] = raw.nanoseconds
        self.rtt[path.index] = rtt.nanoseconds
        known.insert(PathSet(path))
        solve()
    }

    /// A sample that contradicts the estimate by more than this shows that a clock jumped, or that
    /// a host slept while the other's clock went on.
    ///
    /// Long queues that empty contradict it by less.
    private static let jump = TimeDelta.seconds(1)

    /// Whether a clock has jumped since the estimate was made.
    ///
    /// A packet arrives after it was sent and before its acknowledgement, so the offset lies
    /// between `raw - rtt` and `raw`.
    ///
    /// - Parameters:
    ///   - raw: a packet's raw one-way delay.
    ///   - rtt: time from sending the packet to its acknowledgement.
    public func isContradicted(byRaw raw: TimeDelta, rtt: TimeDelta) -> Bool {
        guard let estimate else { return false }
        return estimate > raw + ClockOffset.jump || estimate < raw - rtt - ClockOffset.jump
    }

    /// Drops a removed path.
    public mutating func remove(path: PathID) {
        guard path.index < PathID.limit else { return }
        known.remove(PathSet(path))
        solve()
    }

    /// Converts a raw one-way delay to seconds, zero or more.
    public func delay(ofRaw raw: TimeDelta) -> Double {
        ClockOffset.delay(ofRaw: raw, offset: estimate)
    }

    /// The least delay to the receiver over a path, in seconds; nil while it is not known.
    public func leastDelay(of path: PathID) -> Double? {
        guard estimate != nil, known.contains(path) else { return nil }
        return delay(ofRaw: TimeDelta(nanoseconds: least[path.index]))
    }

    /// The same with a given estimate.
    @inline(__always)
    static func delay(ofRaw raw: TimeDelta, offset: TimeDelta?) -> Double {
        guard let offset else { return 0 }
        return max(0, (raw - offset).seconds)
    }

    @inline(never)
    private mutating func solve() {
        guard let best else { return }
        var paths = known
        var low = Int64.min
        var high = Int64.max
        while let path = paths.popFirst() {
            let raw = TimeDelta(nanoseconds: least[path.index])
            let rtt = TimeDelta(nanoseconds: rtt[path.index])
            low = max(low, (raw - rtt).nanoseconds)
            high = min(high, raw.nanoseconds)
        }
        estimate = TimeDelta(nanoseconds: min(max(best.offset.nanoseconds, low), high))
    }
}
