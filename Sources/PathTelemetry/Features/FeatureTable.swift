/// The features of one path for one decision, scaled to about one and defined by `FeatureTable`.
///
/// The count is a multiple of four and equals `CK_FEATURES` of CKernels.
public typealias FeatureVector = InlineArray<24, Double>

/// One feature of a path: its place in a `FeatureVector`.
///
/// Features use only what is known at the time of the decision.
public enum Feature: Int, CaseIterable, Sendable {
    case smoothedRTT, rttVariation, minRTT, rttSlope, delayExcess, jitterP90
    case deliveryRate, rateVariation
    case lossShort, lossLong, lossBurst, sinceLoss
    case sinceReply, unansweredAge, inFlight, pacingDelay, probeTimeouts
    case burstBytes, deadline, currentPath, price
    case gridSine, gridCosine
    case predictionGap
}

/// Takes the rows of the feature table, one after the other.
protocol FeatureRows {
    /// - Parameters:
    ///   - name: in files and tables.
    ///   - unit: of the raw quantity.
    ///   - meaning: description of the raw quantity.
    ///   - raw: the quantity before it is scaled.
    mutating func row(
        _ feature: Feature, _ name: StaticString, unit: StaticString, _ scaling: Scaling,
        _ meaning: StaticString, _ raw: Double)
}

/// The definition of all features: their names, units and scalings, and how each is computed from
/// the readings of a path.
///
/// The schema reads the names and scalings of the rows, and a decision reads the raw quantities;
/// there the compiler removes everything else.
enum FeatureTable {
    /// Raised whenever a feature is added or its meaning changes.
    static let version = 1

    /// - Parameters:
    ///   - path: its current readings.
    ///   - evidence: its history.
    ///   - moment: the quantities that all paths of the decision share.
    @inline(__always)
    static func fill<Rows: FeatureRows>(
        _ rows: inout Rows, _ path: borrowing PathReading, _ evidence: inout PathEvidence,
        _ moment: borrowing DecisionMoment
    ) {
        rows.row(
            .smoothedRTT, "smoothed_rtt", unit: "s", .log(1e-4, 10, reference: 0.05),
            "smoothed RTT", path.rtt)
        rows.row(
            .rttVariation, "rtt_variation", unit: "1", .linear(0, 2, divisor: 0.5),
            "RTT variation over smoothed RTT", path.rttVariation * path.perRTT)
        rows.row(
            .minRTT, "min_rtt", unit: "s", .log(1e-4, 10, reference: 0.05),
            "least RTT of 10 s", path.leastRTT)
        rows.row(
            .rttSlope, "rtt_slope", unit: "1", .linear(-1, 2, divisor: 0.5),
            "(mean RTT of 250 ms - of 1 s) over that of 1 s", evidence.rttSlope)
        rows.row(
            .delayExcess, "delay_excess", unit: "s", .log1p(10, reference: 0.01),
            "one-way delay above its least of 10 s", evidence.delayExcess)
        rows.row(
            .jitterP90, "jitter_p90", unit: "s", .log1p(10, reference: 0.005),
            "0.9 quantile of differences of RTT samples in a row", evidence.jitterP90)
        rows.row(
            .deliveryRate, "delivery_rate", unit: "B/s",
            .log(1e3, 1e10, reference: 1.25e6, divisor: 2),
            "mean delivery rate of 1 s", path.rate)
        rows.row(
            .rateVariation, "rate_variation", unit: "1", .linear(0, 2, divisor: 0.5),
            "standard deviation over mean of the delivery rate", evidence.rateVariation)
        rows.row(
            .lossShort, "loss_500ms", unit: "1", .log1p(1, reference: 0.05),
            "share of packets lost, 0.5 s", evidence.lossShort)
        rows.row(
            .lossLong, "loss_5s", unit: "1", .log1p(1, reference: 0.05),
            "share of packets lost, 5 s", evidence.lossLong)
        rows.row(
            .lossBurst, "loss_burst", unit: "packets", .log1p(1000, reference: 1, divisor: 2),
            "longest run in the latest loss", evidence.lossBurst)
        rows.row(
            .sinceLoss, "since_loss", unit: "s", .log1p(60, reference: 0.1, divisor: 3),
            "time since the latest loss", path.sinceLoss)
        rows.row(
            .sinceReply, "since_reply", unit: "s", .log1p(10, reference: 0.1),
            "time since the latest reply", path.sinceReply)
        rows.row(
            .unansweredAge, "unanswered_age", unit: "1", .log1p(100, reference: 1),
            "age of the oldest unanswered packet over smoothed RTT",
            path.unansweredAge * path.perRTT)
        rows.row(
            .inFlight, "in_flight", unit: "1", .log(0.02, 50, reference: 1),
            "bytes in flight over rate x least RTT",
            path.flightShare)
        rows.row(
            .pacingDelay, "pacing_delay", unit: "s", .log1p(10, reference: 0.01),
            "wait for the own pacer", path.pacingDelay)
        rows.row(
            .probeTimeouts, "probe_timeouts", unit: "time-outs", .log1p(16, reference: 1),
            "probe time-outs in a row", path.probeTimeouts)
        rows.row(
            .burstBytes, "burst_bytes", unit: "B", .log(64, 1e7, reference: 10_000, divisor: 2),
            "size of the burst", moment.bytes)
        rows.row(
            .deadline, "deadline", unit: "s", .log(1e-3, 60, reference: 0.2, divisor: 2),
            "time within which the burst is useful", moment.deadline)
        rows.row(
            .currentPath, "current_path", unit: "1", .linear(0, 1),
            "one for the path of the previous decision", path.isCurrent ? 1 : 0)
        rows.row(
            .price, "price", unit: "per GB", .log1p(1000, reference: 1),
            "price of 10^9 bytes", path.pricePerGB)
        rows.row(
            .gridSine, "grid_sine", unit: "1", .linear(-1, 1),
            "sine of the 15 s grid of Starlink, UTC; zero for other links", path.grid.sine)
        rows.row(
            .gridCosine, "grid_cosine", unit: "1", .linear(-1, 1),
            "cosine of the same", path.grid.cosine)
        // This one compares paths, so it is filled in when all are known; it is one for a single
        // path.
        rows.row(
            .predictionGap, "prediction_gap", unit: "1", .log(0.05, 20, reference: 1),
            "predicted delivery over the best other candidate's", 1)
    }
}
