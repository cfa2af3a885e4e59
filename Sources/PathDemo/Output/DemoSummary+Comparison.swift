import PathTelemetry

/// Compares the figures of the learned policy with those of the fixed ones.
extension DemoSummary {
    /// The relative difference from which a figure counts as better or worse; less counts as
    /// chance.
    private static let tolerance = 0.1

    /// One figure of two runs; smaller is better.
    private struct Figure {
        var name: String
        var learned: Double
        var other: Double
        /// A difference up to this counts as chance.
        var noise = 0.0
        var text: (Double) -> String

        /// Negative if the learned run is better, zero within the tolerance.
        var sign: Int {
            if learned == other { return 0 }
            if other == .infinity { return -1 }
            let bar = max(noise, DemoSummary.tolerance * other)
            return learned < other - bar ? -1 : learned > other + bar ? 1 : 0
        }
        var words: String { "\(name) \(text(learned)) against \(text(other))" }
    }

    private func figures(_ learned: PolicyRun, _ other: PolicyRun) -> [Figure] {
        func time(_ value: Double) -> String {
            value.isFinite ? NumberText.time(value) : "never"
        }
        return [
            Figure(
                name: "late messages", learned: learned.lateShare, other: other.lateShare,
                noise: DemoSummary.noise(learned, other), text: { NumberText.percent($0) }),
            Figure(
                name: "p95", learned: learned.delivery(percentile: 0.95),
                other: other.delivery(percentile: 0.95), text: time),
            Figure(
                name: "p99", learned: learned.delivery(percentile: 0.99),
                other: other.delivery(percentile: 0.99), text: time),
            Figure(
                name: "longest gap", learned: learned.longestGap, other: other.longestGap,
                text: time),
            Figure(
                name: "file", learned: learned.fileSeconds, other: other.fileSeconds,
                text: { NumberText.fixed($0, 2) + " s" }),
        ]
    }

    /// Two standard errors of the difference of the shares of late messages.
    private static func noise(_ one: PolicyRun, _ other: PolicyRun) -> Double {
        func variance(_ run: PolicyRun) -> Double {
            run.lateShare * (1 - run.lateShare) / Double(max(1, run.messages))
        }
        return 2 * (variance(one) + variance(other)).squareRoot()
    }

    /// Where the learned policy is better and worse than each fixed one.
    ///
    /// One sentence per fixed policy, and whether no figure is worse.
    var comparisons: [(text: String, isNowhereWorse: Bool)] {
        guard let learned = runs.last else { return [] }
        return runs.dropLast().map { other in
            let figures = figures(learned, other)
            func part(_ title: String, _ sign: Int) -> String? {
                let words = figures.filter { $0.sign == sign }.map(\.words)
                return words.isEmpty ? nil : title + ": " + words.joined(separator: ", ")
            }
            let parts = [part("better", -1), part("worse", 1), part("no clear difference", 0)]
                .compactMap {
                    $0
                }
            let text =
                "\(learned.policy) against \(other.policy): "
                + parts.joined(separator: "; ") + "."
            return (text, figures.allSatisfy { $0.sign <= 0 })
        }
    }

    /// Whether no figure of the learned run is worse than that of any fixed policy.
    var learnedIsNowhereWorse: Bool {
        comparisons.allSatisfy(\.isNowhereWorse)
    }
}

extension PolicyRun {
    /// The run in one line.
    public var headline: String {
        let p95 = delivery(percentile: 0.95)
        return "\(policy), \(NumberText.percent(lateShare)) of the messages late, p95 "
            + (p95.isFinite ? NumberText.time(p95) : "never")
            + ", file in \(NumberText.fixed(fileSeconds, 2)) s"
    }
}
