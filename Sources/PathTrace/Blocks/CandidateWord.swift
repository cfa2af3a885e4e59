import PathLearning
import PathTelemetry

/// A candidate as 37 words of 64 bits: the columns of candidates in a block.
///
/// The first `FeatureVector.count` are the features.
enum CandidateWord {
    static let predictedDelivery = FeatureVector.count
    static let smoothedRTT = FeatureVector.count + 1
    static let rttVariation = FeatureVector.count + 2
    static let unansweredAge = FeatureVector.count + 3
    static let lossRate = FeatureVector.count + 4
    static let rate = FeatureVector.count + 5
    static let room = FeatureVector.count + 6
    static let bytesInFlight = FeatureVector.count + 7
    static let congestionWindow = FeatureVector.count + 8
    static let weight = FeatureVector.count + 9
    static let pricePerGB = FeatureVector.count + 10
    static let rateLimit = FeatureVector.count + 11
    /// Path number, link kind and backup flag: bytes 0, 1 and 2.
    static let identity = FeatureVector.count + 12
    static let count = FeatureVector.count + 13

    /// The words that are the features.
    static let features: UInt64 = (1 << UInt64(FeatureVector.count)) - 1
    /// All words.
    static let all: UInt64 = (1 << UInt64(count)) - 1

    /// Features of the burst and not of the path: the same for all candidates of a decision.
    static let shared: UInt64 =
        sharedWords.reduce(0) { $0 | 1 << UInt64($1) }
    static let sharedWords = Feature.burstBytes.rawValue...Feature.deadline.rawValue

    @inline(__always)
    static func identity(path: PathID, traits: PathTraits) -> UInt64 {
        UInt64(path.rawValue) | UInt64(traits.kind.rawValue) << 8 | (traits.isBackup ? 1 << 16 : 0)
    }
}
