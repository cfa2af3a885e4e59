/// The distance between the receiver's clock and the sender's, estimated from all paths.
///
/// Every raw one-way delay contains the same unknown distance, so delays of several paths compare
/// exactly whatever is subtracted; a good estimate only makes them meaningful in seconds. On each
/// path the distance lies between `least raw delay - least RTT` (all delay on the way out) and
/// `least raw delay` (none). The estimate is the least `raw delay - RTT / 2`, held within what all
/// paths allow.
public struct ClockOffset: Sendable {
    private var least = InlineArray<16, Int64>(repeating: 0)
    private var rtt = InlineArray<16, Int64>(repeating: 0)
    private var known: PathSet = .wait

    /// Receiver's clock minus sender's; nil before the first stamped acknowledgement.
    public private(set) var estimate: TimeDelta?

    public init() {}

    /// Takes over what is known of a path now.
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

    /// Forgets a path that was removed.
    public mutating func remove(path: PathID) {
        guard path.index < PathID.limit else { return }
        known.remove(PathSet(path))
        solve()
    }

    /// The one-way delay in seconds behind a raw one; zero or more.
    public func delay(ofRaw raw: TimeDelta) -> Double {
        ClockOffset.delay(ofRaw: raw, offset: estimate)
    }

    /// The same by an estimate.
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
