import PathTelemetry

/// How regularly a path answers: by how much one answer takes longer than the one before.
///
/// Queues grow and shrink slowly on a link with a steady rate, so there the next answer is due hardly
/// later than the last one took, and silence shows within milliseconds. Mean and variation of round
/// trips allow for far more, as they follow a queue up and down.
struct AnswerRhythm {
    /// How long a jump counts, at least; up to twice that.
    private static let window = TimeDelta.seconds(1)

    private var latest: TimeDelta?
    private var longestNow = TimeDelta.zero
    private var longestBefore = TimeDelta.zero
    private var windowStart: Instant?
    private var isKnown = false

    /// The most that an answer of the last one to two seconds took longer than the one before it.
    var longestJump: TimeDelta { max(longestNow, longestBefore) }

    /// Takes the round trip of the largest packet that an acknowledgement reports first, without the
    /// time for which the peer held that back.
    mutating func handle(_ answer: TimeDelta, now: Instant) {
        defer { latest = answer }
        guard let latest else { return }
        let start = windowStart ?? now
        if now - start > AnswerRhythm.window {
            isKnown = true
            longestBefore = longestNow
            longestNow = .zero
            windowStart = now
        } else {
            windowStart = start
        }
        longestNow = max(longestNow, answer - latest)
    }

    /// The longest time that the next answer takes on a path that stays as it is; nil if it is not known,
    /// or answers came with jumps of more than a quarter of the usual time.
    func next(usual: TimeDelta) -> TimeDelta? {
        guard isKnown, let latest, longestJump <= usual / 4 else { return nil }
        return latest + longestJump
    }
}
