import Glibc
import PathTelemetry

/// Discounted sums over each path's outcomes, by one clock for all paths.
///
/// An outcome at time t weighs `2^(-(now - t) / halfLife)`. Sums are kept relative to a reference
/// time, so outcomes may come in any order; the reference moves before weights leave the range of
/// numbers.
struct PathOutcomes: Sendable {
    struct Sums: Sendable {
        var count = 0.0
        var late = 0.0
        var total = 0.0
        var squares = 0.0
    }

    private var table: InlineArray<16, Sums>
    private var clock: FadingClock

    init(halfLife: Double) {
        table = InlineArray(repeating: Sums())
        clock = FadingClock(halfLife: halfLife)
    }

    /// Advances the clock; sums are discounted to that time.
    mutating func advance(to now: Instant) {
        if let factor = clock.advance(to: now) { rescale(factor) }
    }

    mutating func add(path: PathID, at time: Instant, value: Double, isLate: Bool) {
        guard path.index < PathID.limit, value.isFinite else { return }
        advance(to: time)
        let weight = clock.weight(at: time)
        table[path.index].count += weight
        table[path.index].total += weight * value
        table[path.index].squares += weight * value * value
        if isLate { table[path.index].late += weight }
    }

    /// Sets the initial sum of a path, as of now.
    mutating func start(path: PathID, total: Double) {
        guard path.index < PathID.limit else { return }
        table[path.index].total = total / clock.scale
    }

    func sums(of path: PathID) -> Sums {
        guard path.index < PathID.limit else { return Sums() }
        let scale = clock.scale
        let own = table[path.index]
        return Sums(
            count: own.count * scale, late: own.late * scale, total: own.total * scale,
            squares: own.squares * scale)
    }

    private mutating func rescale(_ factor: Double) {
        for index in 0..<PathID.limit {
            table[index].count *= factor
            table[index].late *= factor
            table[index].total *= factor
            table[index].squares *= factor
        }
    }
}

/// Weights that are discounted over time, relative to a reference that seldom moves.
struct FadingClock: Sendable {
    private let halfLife: Double
    private var reference: Instant?
    private var latest = Instant.zero
    /// The factor from a sum relative to the reference to its present value.
    private(set) var scale = 1.0

    init(halfLife: Double) { self.halfLife = halfLife }

    /// Advances the present time, and never moves it back.
    ///
    /// - Returns: the factor for all sums if the reference moved.
    mutating func advance(to now: Instant) -> Double? {
        guard let start = reference else {
            reference = now
            latest = now
            return nil
        }
        guard now > latest else { return nil }
        latest = now
        guard halfLife < .infinity else { return nil }
        scale = exp2(-(now - start).seconds / halfLife)
        guard scale < 0x1p-200 else { return nil }
        defer { scale = 1 }
        reference = now
        return scale
    }

    /// The weight, relative to the reference, of something that happened at `time`.
    func weight(at time: Instant) -> Double {
        guard let start = reference, halfLife < .infinity else { return 1 }
        return exp2(min(1000, (time - start).seconds / halfLife))
    }
}
