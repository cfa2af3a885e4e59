import PathTelemetry
import PathTrace

/// One trace to train from.
struct TraceSource {
    let reader: TraceReader
    let info: TraceInfo
    /// The file's name without folders: models must not depend on the location of a trace.
    let name: String
    let sessionFingerprints: [UInt64]

    init(_ path: String) throws(TraceError) {
        reader = try TraceReader(path: path)
        let schema = StableHash.text(FeatureSchema.current.hash)
        guard reader.schema.hash == schema else {
            throw .otherSchema(path: path, found: reader.schema.hash, expected: schema)
        }
        info = try reader.info()
        name = path.split(separator: "/").last.map(String.init) ?? path
        var fingerprints: [UInt64] = []
        for session in try reader.sessions() {
            if let fingerprint = try reader.fingerprint(of: session) {
                fingerprints.append(fingerprint)
            }
        }
        sessionFingerprints = fingerprints
    }
}

/// How many decisions there were, and why some were not used.
public struct TrainingCounts: Sendable, Equatable {
    public var decisions = 0
    /// Decisions in which a rule left the policy one action.
    public var forced = 0
    /// Decisions whose recording ended before the outcome.
    public var withoutOutcome = 0
    /// Bursts sent as copies on several paths, or not at all.
    public var notOnePath = 0
    /// Decisions with a number that is not finite.
    public var refused = 0
    public var trained = 0
    public var heldOut = 0
    /// Used decisions that were not delivered in time; they count with their deadline.
    public var late = 0

    public init() {}

    static func + (a: TrainingCounts, b: TrainingCounts) -> TrainingCounts {
        var sum = TrainingCounts()
        sum.decisions = a.decisions &+ b.decisions
        sum.forced = a.forced &+ b.forced
        sum.withoutOutcome = a.withoutOutcome &+ b.withoutOutcome
        sum.notOnePath = a.notOnePath &+ b.notOnePath
        sum.refused = a.refused &+ b.refused
        sum.trained = a.trained &+ b.trained
        sum.heldOut = a.heldOut &+ b.heldOut
        sum.late = a.late &+ b.late
        return sum
    }
}

/// A trace from which a model was trained.
public struct TrainingSource: Sendable, Equatable {
    /// The file's name without folders.
    public var name: String
    /// Hash of the numbers that were used, in their order.
    public var fingerprint: UInt64
    public var sessions: Int
    public var decisions: Int
    /// Policies that made the decisions, in the order of their first session.
    public var policies: [String]
    /// Seconds of recording, summed over the sessions.
    public var seconds: Double
    /// Fingerprints that identify each session with decisions across files; empty for statistics
    /// written without them.
    var sessionFingerprints: [UInt64] = []
}
