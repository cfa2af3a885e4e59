internal import PathTelemetry

/// Parameters of backup.
public struct BackupSettings: PolicySettings {
    /// How long a better path has to work before it is used again, seconds.
    public var hold = 1.5
    /// Share of packets lost over 5 s above which a path counts as not working.
    public var loss = 0.5

    public init() {}

    public var fields: [PolicyField<BackupSettings>] {
        [
            PolicyField("hold", \.hold, 0...3600, "seconds from 0 to 3600"),
            PolicyField("loss", \.loss, 0.001...1, "a share from 0.001 to 1"),
        ]
    }
}

/// Hot standby: uses the first working path in the order of numbers, with backup paths last.
///
/// A path that is silent (no reply for three round trips and at least 400 ms) or loses too much
/// does not work; it is used again after it has worked for `hold` seconds.
struct BackupPolicy: Policy {
    let settings: BackupSettings
    /// The end of each failed path's probation.
    private var badUntil: InlineArray<16, Instant?>

    init(settings: BackupSettings = BackupSettings()) {
        self.settings = settings
        badUntil = InlineArray(repeating: nil)
    }

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        var best = 0
        var bestRank = Double.infinity
        for index in 0..<candidates.count {
            let rank = rank(candidates[index], now: now)
            if rank < bestRank {
                best = index
                bestRank = rank
            }
        }
        distribution.choose(best, among: candidates)
    }

    /// Ranks working paths first, then those on probation, then those that do not work.
    private mutating func rank(_ candidate: borrowing Candidate, now: Instant) -> Double {
        let place = candidate.path.index
        let own = preference(candidate)
        guard place < PathID.limit else { return own }
        if isBroken(candidate) {
            badUntil[place] = now + TimeDelta(seconds: settings.hold)
            return own + 200
        }
        guard let until = badUntil[place] else { return own }
        if now < until { return own + 100 }
        badUntil[place] = nil
        return own
    }

    private func isBroken(_ candidate: borrowing Candidate) -> Bool {
        let loss = candidate.lossRate
        return SteadyPolicy.isSilent(candidate) || loss > settings.loss
    }

    /// The rank in the order of preference.
    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        preference(candidate)
    }

    private func preference(_ candidate: borrowing Candidate) -> Double {
        Double(candidate.path.rawValue) + (candidate.traits.isBackup ? 16 : 0)
    }
}

extension BackupPolicy {
    static let descriptor = PolicyDescriptor(
        "backup", "the first working path, which returns after a hold-down",
        settings: BackupSettings()
    ) { settings, _ throws(LearningError) in
        BackupPolicy(settings: settings)
    }
}
