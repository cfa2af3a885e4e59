import PathTelemetry

/// Window and pace of a flow like BBR version 1, in packets: startup, drain, the cycle of eight gains
/// and the measurement of the round trip.
///
/// Source: Cardwell et al., "BBR: Congestion-Based Congestion Control", ACM Queue 14(5), 2016, and
/// draft-cardwell-iccrg-bbr-congestion-control-00. Losses change nothing, as there.
struct BandwidthModel: Sendable {
    private enum Phase { case startup, drain, cycle, roundTrip }

    private static let startupGain = 2.885
    private static let gains: [Double] = [1.25, 0.75, 1, 1, 1, 1, 1, 1]
    /// Round trips for which a delivery rate counts, and time for which a round trip does.
    private static let rounds = 10
    private static let roundTripLife: Int64 = 10_000_000_000
    private static let measurement: Int64 = 200_000_000
    private static let leastWindow = 4.0

    private var phase = Phase.startup
    /// The largest rate of each of the latest rounds, packets per second.
    private var rates: InlineArray<10, Double> = .init(repeating: 0)
    private var bandwidth = 0.0
    private var round = 0
    private var roundEnd = 0
    private var isRoundStart = false
    private var minimum = Double.infinity
    private var minimumAt: Int64 = 0
    private var full = 0.0
    private var roundsWithoutGrowth = 0
    private var isFull = false
    private var gain = 0
    private var gainSince: Int64 = 0
    private var measuredUntil = Int64.max

    init(random: LinkRandom) {
        var random = random
        // Any phase of the cycle but the one that drains, so that flows do not probe together.
        gain = [0, 2, 3, 4, 5, 6, 7][Int(random.next() % 7)]
    }

    /// Packets that fill the pipe.
    private var product: Double { bandwidth * minimum * 1e-9 }

    /// The most packets in flight.
    var window: Double {
        guard bandwidth > 0 else { return 10 }
        switch phase {
        case .startup, .drain:
            return max(10, BandwidthModel.startupGain * product)
        case .cycle: return max(BandwidthModel.leastWindow, 2 * product)
        case .roundTrip: return BandwidthModel.leastWindow
        }
    }

    /// Packets per second.
    var pacingRate: Double {
        guard bandwidth > 0 else { return 10_000 }
        switch phase {
        case .startup: return BandwidthModel.startupGain * bandwidth
        case .drain: return bandwidth / BandwidthModel.startupGain
        case .cycle: return BandwidthModel.gains[gain] * bandwidth
        case .roundTrip: return bandwidth
        }
    }

    /// - Parameters:
    ///   - roundTrip: of the packet, nanoseconds.
    ///   - delivered: packets so far.
    ///   - sentAfter: those of them before the packet was sent.
    ///   - elapsed: nanoseconds in which the others were delivered.
    mutating func handleAck(
        roundTrip: Double, delivered: Int, sentAfter: Int, elapsed: Double, inFlight: Int,
        now: Int64
    ) {
        isRoundStart = sentAfter >= roundEnd
        if isRoundStart {
            roundEnd = delivered
            round += 1
            rates[round % BandwidthModel.rounds] = 0
        }
        if elapsed > 0 {
            let rate = Double(delivered - sentAfter) * 1e9 / elapsed
            let slot = round % BandwidthModel.rounds
            rates[slot] = max(rates[slot], rate)
        }
        bandwidth = 0
        for slot in rates.indices { bandwidth = max(bandwidth, rates[slot]) }
        let isOld = now &- minimumAt > BandwidthModel.roundTripLife
        if roundTrip <= minimum || isOld {
            minimum = roundTrip
            minimumAt = now
        }
        advance(inFlight: Double(inFlight), isOld: isOld, now: now)
    }

    private mutating func advance(inFlight: Double, isOld: Bool, now: Int64) {
        if phase == .startup, isRoundStart { findFull() }
        if phase == .startup, isFull { phase = .drain }
        if phase == .drain, inFlight <= product { enterCycle(now) }
        if phase == .cycle { turn(inFlight: inFlight, now: now) }
        if isOld, phase != .roundTrip {
            phase = .roundTrip
            measuredUntil = .max
        }
        guard phase == .roundTrip else { return }
        if measuredUntil == .max, inFlight <= BandwidthModel.leastWindow {
            measuredUntil = now &+ max(BandwidthModel.measurement, nanoseconds(minimum))
        } else if now >= measuredUntil {
            minimumAt = now
            if isFull { enterCycle(now) } else { phase = .startup }
        }
    }

    private mutating func findFull() {
        if bandwidth >= full * 1.25 {
            full = bandwidth
            roundsWithoutGrowth = 0
            return
        }
        roundsWithoutGrowth += 1
        isFull = roundsWithoutGrowth >= 3
    }

    private mutating func enterCycle(_ now: Int64) {
        phase = .cycle
        gainSince = now
    }

    /// Goes on to the next gain after a round trip: while probing when the pipe is that full, while
    /// draining as soon as no queue is left.
    private mutating func turn(inFlight: Double, now: Int64) {
        let isLong = Double(now &- gainSince) > minimum
        let isOver =
            switch gain {
            case 0: isLong && inFlight >= 1.2 * product
            case 1: isLong || inFlight <= product
            default: isLong
            }
        // A probe that losses keep from filling the pipe ends after some round trips.
        guard isOver || Double(now &- gainSince) > 4 * minimum else { return }
        gain = (gain + 1) % BandwidthModel.gains.count
        gainSince = now
    }
}
