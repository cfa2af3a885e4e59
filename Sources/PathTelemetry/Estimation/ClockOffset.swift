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
