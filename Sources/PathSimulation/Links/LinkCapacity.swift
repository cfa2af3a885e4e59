package import PathTelemetry

/// What a link can carry, found by filling its queue all the time.
package enum LinkCapacity {
    private static let packet = 1400
    /// The longest time between two looks at the queue, and the shortest.
    private static let longestStep = TimeDelta.milliseconds(1)
    private static let shortestStep = TimeDelta.microseconds(50)
    /// Packets that are offered at one moment, and those in a row that may be lost.
    private static let mostOffers = 100_000
    private static let mostLosses = 1000

    /// What arrives at the other side of a link whose queue is never empty, in equal stretches of
    /// time: rates, outages, losses and policers count, whoever else shares the link does not.
    ///
    /// - Parameters:
    ///   - seed: seed of the run.
    ///   - path: number of the link.
    ///   - stretches: how many; at least one.
    /// - Returns: IP bytes per second in each stretch; nil for a link without a rate.
    package static func rates(
        of parameters: LinkParameters, seed: UInt64, path: Int, direction: LinkDirection,
        over duration: TimeDelta, stretches: Int
    ) -> [Double]? {
        guard parameters.isLimited, stretches > 0, duration > .zero else { return nil }
        var link = Link(parameters, seed: seed, path: path, direction: direction, overhead: 0)
        var bytes = [Double](repeating: 0, count: stretches)
        let length = duration.seconds / Double(stretches)
        let step = LinkCapacity.step(of: parameters)
        var now = Instant.zero
        let end = now + duration
        while now < end {
            while let delivery = link.popDelivery(now: now) {
                let place = Int((delivery.time - .zero).seconds / length)
                if place < stretches { bytes[place] += Double(delivery.bytes) }
            }
            fill(&link, now: now)
            now = now + step
        }
        return bytes.map { $0 / length }
    }

    /// Offers packets until the queue is full or nothing gets through at this moment.
    ///
    /// A queue for each flow takes every packet and drops another one for it, so that the link's
    /// counter says whether it was full. Nobody waits for the fates that are decided later; they
    /// are taken here, as they would add up otherwise.
    private static func fill(_ link: inout Link, now: Instant) {
        var lost = 0
        let before = link.counters.droppedQueue.packets
        for _ in 0..<mostOffers {
            let result = link.handleSend(bytes: packet, token: 0, now: now)
            while link.popSettlement() != nil {}
            if link.counters.droppedQueue.packets != before { return }
            switch result {
            case .accepted: lost = 0
            case .dropped(.loss), .dropped(.managed):
                lost += 1
                if lost == mostLosses { return }
            case .dropped: return
            }
        }
    }

    /// Short enough that the queue does not run empty in between.
    private static func step(of parameters: LinkParameters) -> TimeDelta {
        let intakes = [parameters.intake] + parameters.intakeSteps.map(\.intake)
        let queue =
            intakes.map {
                switch $0.queue {
                case .bytes(let limit): Double(limit)
                case .packets(let limit): Double(limit * packet)
                }
            }.min() ?? 0
        let most = ([parameters.rateMegabits] + parameters.rateSteps.map(\.megabits)).max() ?? 0
        guard most > 0 else { return longestStep }
        let drained = TimeDelta(seconds: queue * 8 / (most * 1e6) / 2)
        return max(shortestStep, min(longestStep, drained))
    }
}
