/// The offset between the receiver's clock and the sender's, estimated from all paths.
///
/// Every raw one-way delay contains the same unknown offset, so delays of several paths are
/// comparable whatever is subtracted; a good estimate only makes them meaningful in seconds. On
/// each path the offset lies between `least raw delay - least RTT` (all delay is forward) and
/// `least raw delay` (none is). The estimate is the least `raw delay - RTT / 2`, clamped to what
/// all paths allow.
public struct ClockOffset: Sendable {
    private var least = InlineArray<16, Int64>(repeating: 0)
    private var rtt = InlineArray<16, Int64>(repeating: 0)
    private var known: PathSet = .wait

    /// Receiver's clock minus sender's; nil before the first stamped acknowledgement.
    public private(set) var estimate: TimeDelta?

    public init() {}

    /// Updates the estimate with the evidence of a path.
    public mutating func update(path: PathID, from evidence: borrowing PathEvidence) {
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
        var paths = known
        var best = Int64.max
        var low = Int64.min
        var high = Int64.max
        while let path = paths.popFirst() {
            let raw = TimeDelta(nanoseconds: least[path.index])
            let rtt = TimeDelta(nanoseconds: rtt[path.index])
            best = min(best, (raw - rtt / 2).nanoseconds)
            low = max(low, (raw - rtt).nanoseconds)
            high = min(high, raw.nanoseconds)
        }
        guard known.count > 0 else {
            estimate = nil
            return
        }
        estimate = TimeDelta(nanoseconds: min(max(best, low), high))
    }
}
