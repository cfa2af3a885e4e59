package import PathTelemetry

/// What a link can carry, found by filling its queue all the time.
package enum LinkCapacity {
    private static let packet = 1400
    /// The longest time between two looks at the queue, and the shortest.
    private static let longestStep = TimeDelta.milliseconds(1)
    private static let shortestStep = TimeDelta.microseconds(50)

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

    /// Offers packets until one does not fit.
    private static func fill(_ link: inout Link, now: Instant) {
        for _ in 0..<100_000 {
            switch link.handleSend(bytes: packet, token: 0, now: now) {
            case .dropped(.queueFull), .dropped(.outage), .dropped(.overflow), .dropped(.size):
                return
            case .dropped, .accepted: break
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
