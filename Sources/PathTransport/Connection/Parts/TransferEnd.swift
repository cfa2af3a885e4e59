import PathTelemetry

/// How much of the rest of a transfer each path may be given now.
///
/// A path gets nothing if its burst would arrive after the others that cost no more have delivered all
/// that is left: with B bytes left, and paths p that deliver from a_p on at the rate r_p, the others
/// end at `T = (B + sum r_p a_p) / sum r_p`, over those with a_p below T. Equal paths never leave data
/// to each other while the end is further away than a burst. The path on which a packet arrives first
/// is never left alone, so that some path always carries on.
struct TransferEnd {
    /// The most bytes that are taken as the end of a transfer; with more all paths are used.
    static let longest = 64 << 20
    private static let segment = 1200

    /// Whether a path is left alone, by its place in the table.
    private(set) var isLeft = InlineArray<16, Bool>(repeating: false)
    /// When a path delivers the first of its bytes, seconds, and at which rate; zero for one that is
    /// not counted on.
    private var starts = InlineArray<16, Double>(repeating: .infinity)
    private var rates = InlineArray<16, Double>(repeating: 0)

    /// No path is left alone.
    init() {}

    /// - Parameters:
    ///   - burst: the most bytes of a burst.
    ///   - left: all bytes that have to be sent, the burst included.
    ///   - clock: compares the ways out of the paths.
    init(
        _ paths: borrowing PathTable, burst: Int, left: Int, clock: borrowing ClockOffset,
        now: Instant
    ) {
        guard left < TransferEnd.longest else { return }
        var first = -1
        var firstArrival = Double.infinity
        for index in paths.indices where paths.takesData(index) {
            guard paths[index].recovery.rtt.hasSample, !paths[index].isOverdue(now: now) else {
                continue
            }
            rates[index] = paths[index].transferRate
            starts[index] =
                paths[index].arrival(of: left, clock: clock, now: now)
                - Double(left) / rates[index]
            let arrival =
                paths[index].arrival(of: TransferEnd.segment, clock: clock, now: now)
                + TransferEnd.risk(paths[index])
            if arrival < firstArrival {
                firstArrival = arrival
                first = index
            }
        }
        for index in paths.indices
        where index != first && paths.takesData(index) && paths[index].recovery.rtt.hasSample {
            let bytes = min(paths[index].room(now: now), burst, left)
            guard bytes > 0 else { continue }
            let own =
                paths[index].arrival(of: bytes, clock: clock, now: now)
                + TransferEnd.risk(paths[index])
            isLeft[index] = own > end(of: left, without: index, paths)
        }
    }

    /// Seconds by which a path may be later than expected: the last burst decides when a transfer
    /// ends.
    private static func risk(_ path: borrowing Path) -> Double {
        2 * path.recovery.rtt.variation.seconds
    }

    /// When the other paths that cost no more have delivered everything, seconds.
    private func end(of left: Int, without own: Int, _ paths: borrowing PathTable) -> Double {
        let price = paths[own].traits.pricePerGB
        var end = Double.infinity
        var sum = Double(left)
        var rate = 0.0
        var used: UInt32 = 0
        while true {
            var next = -1
            for index in paths.indices
            where index != own && rates[index] > 0 && used & (1 << UInt32(index)) == 0
                && paths[index].traits.pricePerGB <= price
            {
                if next < 0 || starts[index] < starts[next] { next = index }
            }
            guard next >= 0, starts[next] < end else { return end }
            used |= 1 << UInt32(next)
            sum += rates[next] * starts[next]
            rate += rates[next]
            end = sum / rate
        }
    }
}
