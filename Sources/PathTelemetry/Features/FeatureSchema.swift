/// One feature of a path: its place in a `FeatureVector`, name, unit and scaling.
///
/// Only what is known at the time of the decision is a feature.
public enum Feature: Int, CaseIterable, Sendable {
    case smoothedRTT, rttVariation, minRTT, rttSlope, delayExcess, jitterP90
    case deliveryRate, rateVariation
    case lossShort, lossLong, lossBurst, sinceLoss
    case sinceReply, unansweredAge, inFlight, pacingDelay, probeTimeouts
    case burstBytes, deadline, currentPath, price
    case gridSine, gridCosine
    case predictionGap

    /// The name in files and tables.
    public var name: String {
        switch self {
        case .smoothedRTT: "smoothed_rtt"
        case .rttVariation: "rtt_variation"
        case .minRTT: "min_rtt"
        case .rttSlope: "rtt_slope"
        case .delayExcess: "delay_excess"
        case .jitterP90: "jitter_p90"
        case .deliveryRate: "delivery_rate"
        case .rateVariation: "rate_variation"
        case .lossShort: "loss_500ms"
        case .lossLong: "loss_5s"
        case .lossBurst: "loss_burst"
        case .sinceLoss: "since_loss"
        case .sinceReply: "since_reply"
        case .unansweredAge: "unanswered_age"
        case .inFlight: "in_flight"
        case .pacingDelay: "pacing_delay"
        case .probeTimeouts: "probe_timeouts"
        case .burstBytes: "burst_bytes"
        case .deadline: "deadline"
        case .currentPath: "current_path"
        case .price: "price"
        case .gridSine: "grid_sine"
        case .gridCosine: "grid_cosine"
        case .predictionGap: "prediction_gap"
        }
    }

    /// The unit of the raw quantity.
    public var unit: String {
        switch self {
        case .smoothedRTT, .minRTT, .delayExcess, .jitterP90, .sinceLoss, .sinceReply,
            .pacingDelay, .deadline:
            "s"
        case .deliveryRate: "B/s"
        case .lossBurst: "packets"
        case .probeTimeouts: "time-outs"
        case .burstBytes: "B"
        case .price: "per GB"
        default: "1"
        }
    }

    /// What the raw quantity is.
    public var meaning: String {
        switch self {
        case .smoothedRTT: "smoothed RTT"
        case .rttVariation: "RTT variation over smoothed RTT"
        case .minRTT: "least RTT of 10 s"
        case .rttSlope: "(mean RTT of 250 ms - of 1 s) over that of 1 s"
        case .delayExcess: "one-way delay above its least of 10 s"
        case .jitterP90: "0.9 quantile of differences of RTT samples in a row"
        case .deliveryRate: "mean delivery rate of 1 s"
        case .rateVariation: "standard deviation over mean of the delivery rate"
        case .lossShort: "share of packets lost, 0.5 s"
        case .lossLong: "share of packets lost, 5 s"
        case .lossBurst: "longest run in the latest loss"
        case .sinceLoss: "time since the latest loss"
        case .sinceReply: "time since the latest reply"
        case .unansweredAge: "age of the oldest unanswered packet over smoothed RTT"
        case .inFlight: "bytes in flight over rate x least RTT"
        case .pacingDelay: "wait for the own pacer"
        case .probeTimeouts: "probe time-outs in a row"
        case .burstBytes: "size of the burst"
        case .deadline: "time within which the burst is useful"
        case .currentPath: "one for the path of the previous decision"
        case .price: "price of 10^9 bytes"
        case .gridSine: "sine of the 15 s grid of Starlink, UTC; zero for other links"
        case .gridCosine: "cosine of the same"
        case .predictionGap: "predicted delivery over the best other candidate's"
        }
    }

    @inline(__always)
    var scaling: Scaling {
        switch self {
        case .smoothedRTT, .minRTT: .log(1e-4, 10, reference: 0.05)
        case .rttVariation, .rateVariation: .linear(0, 2, divisor: 0.5)
        case .rttSlope: .linear(-1, 2, divisor: 0.5)
        case .delayExcess: .log1p(10, reference: 0.01)
        case .jitterP90: .log1p(10, reference: 0.005)
        case .deliveryRate: .log(1e3, 1e10, reference: 1.25e6, divisor: 2)
        case .lossShort, .lossLong: .log1p(1, reference: 0.05)
        case .lossBurst: .log1p(1000, reference: 1, divisor: 2)
        case .sinceLoss: .log1p(60, reference: 0.1, divisor: 3)
        case .sinceReply: .log1p(10, reference: 0.1)
        case .unansweredAge: .log1p(100, reference: 1)
        case .inFlight: .log(0.02, 50, reference: 1)
        case .pacingDelay: .log1p(10, reference: 0.01)
        case .probeTimeouts: .log1p(16, reference: 1)
        case .burstBytes: .log(64, 1e7, reference: 10_000, divisor: 2)
        case .deadline: .log(1e-3, 60, reference: 0.2, divisor: 2)
        case .currentPath: .linear(0, 1)
        case .price: .log1p(1000, reference: 1)
        case .gridSine, .gridCosine: .linear(-1, 1)
        case .predictionGap: .log(0.05, 20, reference: 1)
        }
    }
}

/// What the numbers of a `FeatureVector` mean, as a value whose hash stands in every trace and
/// model.
public struct FeatureSchema: Sendable {
    /// How many features a vector has.
    public static let count = 24
    /// The schema of this program.
    public static let current = FeatureSchema(version: 1)

    public let version: Int
    /// Names in the order of the vector.
    public let names: [String]
    /// The whole schema as text, a line a feature: name, unit, scaling and meaning.
    public let text: String
    /// Stable hash of `text`.
    public let hash: UInt64

    private init(version: Int) {
        self.version = version
        names = Feature.allCases.map(\.name)
        var text = "pathwise features version \(version)\n"
        for feature in Feature.allCases {
            text += "\(feature.name)\t\(feature.unit)\t\(feature.scaling.text)\t"
            text += "\(feature.meaning)\n"
        }
        self.text = text
        hash = StableHash(text).value
    }
}
