import PathLearning
import PathTelemetry

/// A candidate as 37 words of 64 bits, which are the candidate columns of a block.
///
/// The first 24 are the features. They are literals and not sums of other constants, because those
/// are looked up behind a lock at every use; a test compares them with the features.
enum CandidateWord {
    @inline(__always) static var featureCount: Int { 24 }
    @inline(__always) static var predictedDelivery: Int { 24 }
    @inline(__always) static var smoothedRTT: Int { 25 }
    @inline(__always) static var rttVariation: Int { 26 }
    @inline(__always) static var unansweredAge: Int { 27 }
    @inline(__always) static var lossRate: Int { 28 }
    @inline(__always) static var rate: Int { 29 }
    @inline(__always) static var room: Int { 30 }
    @inline(__always) static var bytesInFlight: Int { 31 }
    @inline(__always) static var congestionWindow: Int { 32 }
    @inline(__always) static var weight: Int { 33 }
    @inline(__always) static var pricePerGB: Int { 34 }
    @inline(__always) static var rateLimit: Int { 35 }
    /// Path number, link kind and backup flag: bytes 0, 1 and 2.
    @inline(__always) static var identity: Int { 36 }
    @inline(__always) static var count: Int { 37 }

    /// The words that are the features.
    @inline(__always) static var features: UInt64 { 1 &<< 24 &- 1 }
    /// All words.
    @inline(__always) static var all: UInt64 { 1 &<< 37 &- 1 }

    /// Features of the burst and not of the path (`burstBytes` and `deadline`), which all
    /// candidates of a decision share.
    @inline(__always) static var shared: UInt64 { 3 &<< 17 }
    @inline(__always) static var sharedWords: ClosedRange<Int> { 17...18 }

    @inline(__always)
    static func identity(path: PathID, traits: PathTraits) -> UInt64 {
        UInt64(path.rawValue) | UInt64(traits.kind.rawValue) << 8 | (traits.isBackup ? 1 << 16 : 0)
    }
}
