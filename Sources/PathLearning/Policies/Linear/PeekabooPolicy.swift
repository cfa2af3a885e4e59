import DenseMath
import Glibc
internal import PathTelemetry

/// Parameters of peekaboo.
public struct PeekabooSettings: PolicySettings {
    /// Optimism: how many standard deviations are added to the expected reward.
    public var alpha = 0.75
    /// Probability with which the better arm is followed, if it is to wait and if it is to send.
    public var wait = 0.7
    public var send = 0.9
    /// Half-life of evidence, seconds.
    public var halfLife = 20.0
    /// Receive window, bytes, which is the send window of the features.
    public var window = 1_048_576.0

    public init() {}

    public var fields: [PolicyField<PeekabooSettings>] {
        [
            PolicyField("alpha", \.alpha, 0...1e3, "a number from 0 to 1000"),
            PolicyField("wait", \.wait, 0...1, "a number from 0 to 1"),
            PolicyField("send", \.send, 0...1, "a number from 0 to 1"),
            PolicyField(
                "half-life", \.halfLife, 1e-3...Double.infinity, "seconds above 0, or inf"),
            PolicyField("window", \.window, 1e3...1e12, "bytes from 1000 to 1e12"),
        ]
    }
}

/// Learns whether to wait for the fastest path if its window is full, or to send on the next one.
///
/// There are two arms, each a linear model of the reward `10 ms / (time from the decision to the
/// arrival)`, waiting included, on six rates: window, bytes in flight and send window of both paths
/// over their round trips, as `ln(1 + rate / 100 kB/s)`. The arm with the greater `theta'x + alpha
/// sqrt(x' A^-1 x)` is followed with probability `wait` or `send`. A late burst counts with its
/// deadline. It does not wait for a path whose reply is overdue. Source: Wu, Alay, Brunstrom,
/// Ferlin and Caso, "Peekaboo: Learning-Based Multipath Scheduling for Dynamic Heterogeneous
/// Environments", 2020, algorithms 1 and 2 (there without forgetting).
struct PeekabooPolicy: Policy {
    private static let size = 6
    private static let segment = 1400
    private static let slots = 256
    /// Doubles per slot: features, both paths, waiting time, and the number of the decision.
    private static let slotLength = 10

    let settings: PeekabooSettings
    private var waiting: LinearPosterior
    private var sending: LinearPosterior
    private var clock: EvidenceClock
    /// Ring of the contexts of the latest decisions.
    private var contexts: [Double]
    private var sequence: UInt64 = 0
    /// A decision to wait whose burst was not sent yet, and its time.
    private var pending: UInt64 = 0
    private var pendingSince = Instant.zero
    /// The number of the decision's context; zero if none exists.
    private(set) var memo: UInt64 = 0
    private var isBlocked = false

    init(settings: PeekabooSettings = PeekabooSettings()) {
        self.settings = settings
        clock = EvidenceClock(halfLife: settings.halfLife)
        waiting = LinearPosterior(prior: LinearPrior(size: PeekabooPolicy.size, lambda: 1))
        sending = waiting
        contexts = [Double](
            repeating: 0, count: PeekabooPolicy.slots * PeekabooPolicy.slotLength)
    }

    mutating func distribution(
        for candidates: Span<Candidate>, burst: BurstContext, now: Instant,
        into distribution: inout ActionDistribution
    ) {
        let fastest = candidates.least { score(of: $0, burst: burst) }
        let second = candidates.leastWithRoom { score(of: $0, burst: burst) }
        let hasRoom = candidates[second].room > 0
        let isOverdue = SteadyPolicy.isSuspicious(candidates[fastest])
        // A window that only waits for its pacer is free in a moment.
        let free = candidates[fastest].congestionWindow &- candidates[fastest].bytesInFlight
        let isFull = free < PeekabooPolicy.segment
        isBlocked = second != fastest && hasRoom && !isOverdue && isFull
        guard isBlocked else {
            memo = 0
            if pending != 0, second == fastest {
                let place = PeekabooPolicy.place(pending)
                contexts[place + 8] = (now - pendingSince).seconds
                memo = pending
            }
            pending = 0
            distribution.choose(second, among: candidates)
            return
        }
        sequence &+= 1
        memo = sequence
        let x = context(candidates[fastest], candidates[second])
        store(x, candidates[fastest].path, candidates[second].path)
        let waits = value(waiting, x) > value(sending, x)
        let share = waits ? 1 - settings.wait : settings.send
        for index in 0..<candidates.count {
            distribution.append(PathSet(candidates[index].path), index == second ? share : 0)
        }
        distribution.append(.wait, 1 - share)
    }

    /// Remembers the start of waiting.
    mutating func handleChoice(_ action: PathSet, now: Instant) {
        guard isBlocked else { return }
        if action != .wait {
            pending = 0
        } else if pending == 0 {
            pending = sequence
            pendingSince = now
        }
    }

    mutating func learn(_ feedback: borrowing Feedback) {
        guard feedback.memo != 0, feedback.action.count == 1 else { return }
        let place = PeekabooPolicy.place(feedback.memo)
        guard contexts[place + 9] == Double(feedback.memo) else { return }
        let path = Double(feedback.path.rawValue)
        let (fastest, second) = (contexts[place + 6], contexts[place + 7])
        guard path == fastest || path == second else { return }
        let hasWaited = path == fastest
        let deadline = max(feedback.outcome.deadline, 1e-3)
        let late = feedback.outcome.isLate
        var delivery = feedback.outcome.delivery ?? deadline
        if late || !(delivery < deadline) { delivery = deadline }
        let time = max(1e-3, delivery) + (hasWaited ? max(0, contexts[place + 8]) : 0)
        let (decay, weight) = clock.advance(to: feedback.now)
        let root = weight.squareRoot()
        let target = root * 0.01 / time
        var x = InlineArray<8, Double>(repeating: 0)
        for index in 0..<PeekabooPolicy.size { x[index] = root * contexts[place + index] }
        withUnsafePointer(to: &x) { pointer in
            pointer.withMemoryRebound(to: Double.self, capacity: 8) { values in
                if hasWaited {
                    sending.fade(decay)
                    waiting.learn(values, target: target, decay: decay)
                } else {
                    waiting.fade(decay)
                    sending.learn(values, target: target, decay: decay)
                }
            }
        }
    }

    func score(of candidate: borrowing Candidate, burst: BurstContext) -> Double {
        candidate.smoothedRTT
    }

    private static func place(_ number: UInt64) -> Int {
        Int(number % UInt64(slots)) * slotLength
    }

    private mutating func store(_ x: InlineArray<8, Double>, _ fastest: PathID, _ second: PathID) {
        let place = PeekabooPolicy.place(sequence)
        for index in 0..<PeekabooPolicy.size { contexts[place + index] = x[index] }
        contexts[place + 6] = Double(fastest.rawValue)
        contexts[place + 7] = Double(second.rawValue)
        contexts[place + 8] = 0
        contexts[place + 9] = Double(sequence)
    }

    private func context(
        _ f: borrowing Candidate, _ s: borrowing Candidate
    ) -> InlineArray<8, Double> {
        var x = InlineArray<8, Double>(repeating: 0)
        x[0] = PeekabooPolicy.rate(Double(f.congestionWindow), f.smoothedRTT)
        x[1] = PeekabooPolicy.rate(Double(s.bytesInFlight), s.smoothedRTT)
        x[2] = PeekabooPolicy.rate(settings.window, f.smoothedRTT)
        x[3] = PeekabooPolicy.rate(settings.window, s.smoothedRTT)
        x[4] = PeekabooPolicy.rate(Double(f.bytesInFlight), f.smoothedRTT)
        x[5] = PeekabooPolicy.rate(Double(s.congestionWindow), s.smoothedRTT)
        return x
    }

    private static func rate(_ bytes: Double, _ time: Double) -> Double {
        let rate = max(0, bytes) / (time > 1e-4 ? min(time, 1e3) : 1e-4)
        return log(1 + min(rate, 1e12) / 1e5)
    }

    private func value(_ model: borrowing LinearPosterior, _ x: InlineArray<8, Double>) -> Double {
        var x = x
        let (mean, spread) = withUnsafePointer(to: &x) { pointer in
            pointer.withMemoryRebound(to: Double.self, capacity: 8) { model.predict($0) }
        }
        let value = mean + settings.alpha * max(0, spread).squareRoot()
        return value.isFinite ? value : 0
    }
}

extension PeekabooPolicy {
    static let descriptor = PolicyDescriptor(
        "peekaboo", "learns when to wait for the fastest path",
        source: "Wu 2020",
        settings: PeekabooSettings(),
        needs: { _ in
            PolicyNeeds().with {
                $0.fullPaths = true
                $0.choices = true
            }
        }
    ) { settings, _ throws(LearningError) in
        PeekabooPolicy(settings: settings)
    }
}
