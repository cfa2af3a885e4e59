public import PathTelemetry

/// The complete decision logic, without I/O, clock or packets: candidates, policy, the ledger of
/// open bursts, and learning.
///
/// The sender, trace replay, bandit worlds and the simulator all use it, so that the code evaluated
/// offline is the code that runs. It is deterministic, and decisions allocate nothing once its
/// buffers have grown.
///
/// - *handle*: the fate of packets (`handleSent`, `handleAcknowledged`, `handleMoved`,
///   `handleLost`, `handleArrived`, `handleTimeout`), or of a burst known from elsewhere
///   (`handleOutcome`); `replace`, `setJudge`, `promoteShadow`;
/// - *poll*: `begin`, `offer` or `leave` for each path, then `decide`; `pollOutcome` until it returns
///   nil (the policy learns from outcomes before the next decision); `pollJudged`; `pollEvent`;
/// - *read*: `decision`, `record`, `timeout`, `needs`, `policy`, `modelHash`.
public struct DecisionEngine: ~Copyable, Sendable {
    private let pin = Pin()
    /// What the policy needs from its host.
    public internal(set) var needs: PolicyNeeds
    var selector: PathSelector
    var ledger = BurstLedger()
    /// Outcomes that the policy has not learned from yet.
    var unlearned: [BurstLedger.Closed] = []
    /// The first decision of the policy, which learns from no earlier ones.
    var firstOwn: UInt64 = 0
    /// Says what others would have done; nil if nobody asks.
    var judge: DecisionJudge?
    /// How many numbers of judged decisions there were.
    var judges: UInt32 = 0
    private var builder = CandidateBuilder()
    private var candidates = CandidateSet()
    /// The room and the answer time of each offered path, by path number.
    private var rooms = InlineArray<16, Int>(repeating: 0)
    private var answerTimes = InlineArray<16, TimeDelta>(repeating: .zero)
    private var hasRoom = false
    /// Whether a path with room is left alone, and whether the latest decision was to wait for another.
    private var leavesRoom = false
    var isWaiting = false
    /// Path of the previous decision of each traffic class.
    private var currentPath: InlineArray<2, PathID?> = [nil, nil]
    private var burst = BurstContext(bytes: 0, deadline: .zero, trafficClass: .stream)
    private var now = Instant.zero
    private var number: UInt64 = 0
    private var draw = 0.0
    /// The latest decision, overwritten by the next.
    public private(set) var decision = Decision()

    public init(_ selector: PathSelector) {
        self.selector = selector
        needs = selector.specification.needs
    }

    /// The policy's name.
    public var policy: String { selector.name }
    /// Stable hash of the model that the policy started from; zero without one.
    public var modelHash: UInt64 { selector.modelHash }

    /// Sets the offset of UTC from the clock of decisions, for features on a UTC grid.
    public mutating func setUTCOffset(_ offset: TimeDelta) { builder.utcOffset = offset }

    // MARK: poll, from telemetry

    /// Begins a decision about a burst.
    ///
    /// - Parameters:
    ///   - bytes: bytes of payload in the burst.
    ///   - left: all bytes that wait to be sent, the burst included; nil means the burst alone.
    ///   - deadline: time within which delivery is useful.
    public mutating func begin(
        bytes: Int, left: Int? = nil, deadline: TimeDelta, trafficClass: TrafficClass, now: Instant
    ) {
        burst = BurstContext(
            bytes: bytes, deadline: deadline, trafficClass: trafficClass,
            currentPath: currentPath[Int(trafficClass.rawValue)], bytesLeft: left)
        self.now = now
        hasRoom = false
        leavesRoom = false
        builder.begin(burst, now: now)
    }

    /// Offers a path that may carry data.
    ///
    /// - Parameters:
    ///   - snapshot: read in place and unchanged, as is the estimator (`FeatureMemory.add`).
    ///   - estimator: of the path.
    ///   - clock: of the connection; it learns of the path first.
    ///   - room: bytes that the path takes now.
    ///   - answerTime: how long the acknowledgement of an arrival may take.
    public mutating func offer(
        _ snapshot: inout PathSnapshot, of estimator: inout PathEstimator,
        clock: inout ClockOffset, room: Int, answerTime: TimeDelta
    ) {
        let place = snapshot.path.index
        guard place < PathID.limit else { return }
        rooms[place] = room
        answerTimes[place] = answerTime
        if room > 0 { hasRoom = true }
        builder.add(&snapshot, of: &estimator, clock: &clock)
    }

    /// Notes that a path has room and is not offered, because others deliver everything sooner.
    public mutating func leave() { leavesRoom = true }

    /// Asks the policy, and opens the decision.
    ///
    /// Without an offered path that has room, but one that is left alone, the decision is to wait, and
    /// forced; only the first of a row is a decision.
    public mutating func decide() -> Verdict {
        builder.finish(&candidates)
        guard hasRoom, !candidates.isEmpty else {
            guard leavesRoom, !isWaiting else { return .nothing }
            isWaiting = true
            candidates.removeAll()
            learn()
            draw = selector.decide(candidates, burst: burst, now: now, into: &decision)
            return open()
        }
        isWaiting = false
        learn()
        // A policy that sees full paths gets the sender's own room of each path, so that its choice
        // can be carried out, and a replay sees the same choices.
        if needs.fullPaths {
            for place in 0..<candidates.count {
                candidates[place].room = rooms[candidates[place].path.index]
            }
        }
        draw = selector.decide(candidates, burst: burst, now: now, into: &decision)
        return open()
    }

    // MARK: poll, from given candidates

    /// Asks the policy about given candidates, and opens the decision.
    public mutating func decide(
        among given: borrowing CandidateSet, burst: BurstContext, now: Instant
    ) -> Verdict {
        self.burst = burst
        self.now = now
        candidates = copy given
        for index in 0..<given.count {
            let place = given[index].path.index
            rooms[place] = given[index].room
            answerTimes[place] = .zero
        }
        learn()
        draw = selector.decide(candidates, burst: burst, now: now, into: &decision)
        return open()
    }

    /// Computes the policy's distribution for a recorded decision and continues from the recorded
    /// action; a replay calls this.
    ///
    /// - Returns: the number of the decision, open for its outcome; nil if nothing was sent.
    public mutating func decide(
        among given: Span<Candidate>, burst: BurstContext, now: Instant, logged: LoggedAction
    ) -> UInt64? {
        learn()
        selector.decide(
            among: given, burst: burst, now: now, taking: logged.action, into: &decision)
        for index in given.indices { rooms[given[index].path.index] = given[index].room }
        let fallback = logged.action.first.flatMap { given.index(of: $0) }
        let place = DecisionEngine.carrier(of: logged.action, among: given, rooms: rooms)
        guard let place = place ?? fallback else { return nil }
        return ledger.open(
            BurstLedger.Open(
                time: now, burst: burst, path: given[place].path, features: given[place].features,
                predictedDelivery: given[place].predictedDelivery, action: logged.action,
                propensity: logged.propensity, memo: decision.memo, isForced: logged.isForced,
                closesAt: .distantFuture),
            now: now)
    }

    /// Computes the policy's distribution for given candidates, without a later outcome.
    public mutating func state(among given: Span<Candidate>, burst: BurstContext, now: Instant) {
        selector.decide(among: given, burst: burst, now: now, taking: nil, into: &decision)
    }

    // MARK: the latest decision

    private mutating func open() -> Verdict {
        let verdict = openChosen()
        if case .nothing = verdict { return verdict }
        judge?.note(number, candidates, burst, now: now, decision, ledger)
        return verdict
    }

    private mutating func openChosen() -> Verdict {
        let action = decision.action
        let rooms = rooms
        let place = candidates.withSpan {
            DecisionEngine.carrier(of: action, among: $0, rooms: rooms)
        }
        guard let place else {
            guard action == .wait else { return .nothing }
            // A decision to wait has a number but no outcome; it is recorded so that a policy that
            // remembers waiting can be replayed.
            number = open(at: 0, grace: .zero)
            ledger.handleComplete(number, now: now)
            return .wait
        }
        let path = candidates[place].path
        number = open(at: place, grace: grace(of: action))
        currentPath[Int(burst.trafficClass.rawValue)] = path
        return .send(
            Dispatch(
                path: path, others: action.subtracting(PathSet(path)), number: number,
                isForced: decision.isForced))
    }

    private mutating func open(at place: Int, grace: TimeDelta) -> UInt64 {
        // A wait for a path that is not offered has no candidates.
        let candidate = candidates.isEmpty ? Candidate(path: PathID(0)) : candidates[place]
        return ledger.open(
            BurstLedger.Open(
                time: now, burst: burst, path: candidate.path, features: candidate.features,
                predictedDelivery: candidate.predictedDelivery, action: decision.action,
                propensity: decision.propensity, memo: decision.memo, isForced: decision.isForced,
                closesAt: now + burst.deadline + grace),
            now: now)
    }

    /// The candidate that represents the burst: among the action's paths with room the one with the
    /// least round trip, and the lowest number among equals.
    ///
    /// - Parameter rooms: the room of each path, by its number.
    private static func carrier(
        of action: PathSet, among given: Span<Candidate>, rooms: InlineArray<16, Int>
    ) -> Int? {
        var best = -1
        var fastest = Double.infinity
        var remaining = action
        while let path = remaining.popFirst() {
            guard rooms[path.index] > 0, let place = given.index(of: path) else { continue }
            let time = given[place].smoothedRTT
            if best < 0 || time < fastest {
                best = place
                fastest = time
            }
        }
        return best < 0 ? nil : best
    }

    /// How long the acknowledgement of an arrival may take on the slowest of the paths.
    private func grace(of action: PathSet) -> TimeDelta {
        var longest = TimeDelta.zero
        var remaining = action
        while let path = remaining.popFirst() { longest = max(longest, answerTimes[path.index]) }
        return longest
    }

    /// The latest decision with everything needed to replay it.
    public var record: DecisionRecord {
        DecisionRecord(
            number: number, time: now, burst: burst, candidates: candidates, decision: decision,
            draw: draw)
    }
}
