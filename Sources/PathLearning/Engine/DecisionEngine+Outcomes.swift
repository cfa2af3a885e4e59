public import PathTelemetry

extension DecisionEngine {
    // MARK: handle, sent packets

    /// Notes that a packet of the decision was sent.
    ///
    /// - Parameters:
    ///   - bytes: bytes of its datagram.
    ///   - isFollowed: the packet is tracked until its fate is known; false if its bytes are
    ///     tracked (`follow`), because copies of them are in flight.
    public mutating func handleSent(
        _ decision: UInt64, path: PathID, bytes: Int, isFollowed: Bool
    ) {
        ledger.handleSent(decision, path: path, bytes: bytes, isFollowed: isFollowed)
    }

    /// Tracks bytes of the decision from now on, in whichever packet they arrive.
    public mutating func follow(_ piece: DataPiece, of decision: UInt64) {
        ledger.follow(piece, of: decision)
    }

    /// Notes a datagram that retransmits lost or moved data.
    ///
    /// - Parameters:
    ///   - pieces: the data that it carries.
    ///   - bytes: bytes of the whole datagram.
    public mutating func handleRepairSent(_ pieces: Span<DataPiece?>, path: PathID, bytes: Int) {
        ledger.handleRepairSent(pieces, path: path, bytes: bytes)
    }

    /// Notes that all packets of the decision were sent; a decision that sent nothing is dropped.
    ///
    /// - Parameter isCut: the rest of it was abandoned, so it cannot arrive any more.
    public mutating func handleComplete(_ decision: UInt64, isCut: Bool = false, now: Instant) {
        ledger.handleComplete(decision, isCut: isCut, now: now)
    }

    // MARK: handle, fate of packets

    /// Whether some bytes are tracked that several packets may carry.
    public var followsBytes: Bool { ledger.followsBytes }

    /// Notes that a packet tracked by number arrived at `arrival` on the sender's clock.
    public mutating func handleAcknowledged(_ decision: UInt64, arrival: Instant, now: Instant) {
        ledger.handleAcknowledged(decision, arrival: arrival, now: now)
    }

    /// Notes that bytes, which may be tracked, arrived at `arrival` on the sender's clock.
    public mutating func handleArrived(_ piece: DataPiece, arrival: Instant, now: Instant) {
        ledger.handleArrived(piece, arrival: arrival, now: now)
    }

    /// Notes that a packet of the decision was declared lost.
    public mutating func handleLost(_ decision: UInt64) { ledger.handleLost(decision) }

    /// Notes that a packet tracked by number was lost, or that its data was queued on another path.
    public mutating func handleMoved(_ decision: UInt64, _ pieces: Span<DataPiece?>) {
        ledger.handleMoved(decision, pieces)
    }

    /// When `handleTimeout` may have something to do.
    public var timeout: Instant { ledger.timeout }

    /// Closes as late decisions whose acknowledgement would have come by now, had they arrived in
    /// time.
    ///
    /// - Parameter grace: one round trip and four variations of each path, by its number.
    public mutating func handleTimeout(now: Instant, grace: InlineArray<16, TimeDelta>) {
        ledger.handleTimeout(now: now, grace: grace)
    }

    /// Takes the outcome of an open decision from elsewhere: a recording, or a simulated world.
    public mutating func handleOutcome(_ outcome: borrowing Outcome) {
        ledger.handleOutcome(outcome)
    }

    // MARK: poll, outcomes

    /// The next new outcome; the policy learns from it before the next decision.
    public mutating func pollOutcome() -> Outcome? {
        guard let closed = ledger.popClosed() else { return nil }
        judge?.close(closed)
        // Outcomes that closed at the same time are sorted by decision, whichever acknowledgement
        // came first: a replay knows only the closing times and has to learn in the same order.
        var place = unlearned.count
        while place > 0, unlearned[place - 1].outcome.closedAt == closed.outcome.closedAt,
            unlearned[place - 1].outcome.decision > closed.outcome.decision
        {
            place -= 1
        }
        unlearned.insert(closed, at: place)
        return closed.outcome
    }

    /// Teaches the policy the outcomes since the last decision.
    mutating func learn() {
        for index in unlearned.indices {
            if unlearned[index].outcome.decision >= firstOwn {
                selector.learn(Feedback(unlearned[index]))
            }
            judge?.learn(unlearned[index])
        }
        unlearned.removeAll(keepingCapacity: true)
    }

    /// The oldest pending event of the policy's guard.
    public mutating func pollEvent() -> GuardEvent? { selector.pollEvent() }

    /// Switches to another policy or model between two decisions; returns whether it is another policy,
    /// which then learns from its own decisions only.
    public mutating func replace(with replacement: PathSelector.Replacement) -> Bool {
        learn()
        beginJudging()
        guard selector.replace(with: replacement) else { return false }
        needs = selector.specification.needs
        firstOwn = ledger.next
        isWaiting = false
        return true
    }

    // MARK: the judge

    /// Says of each decision from now on what others would have done, or no more.
    public mutating func setJudge(_ judge: DecisionJudge?) {
        self.judge = judge
        beginJudging()
    }

    private mutating func beginJudging() {
        judges &+= 1
        judge?.begin(judges)
    }

    /// The policy in the shadow and the hash of its model; nil without one.
    public var shadow: (policy: PolicySpecification, modelHash: UInt64)? {
        judge?.shadow.map { ($0.specification, $0.modelHash) }
    }

    /// Whether decisions are judged.
    public var isJudged: Bool { judge != nil }

    /// The policy that decides.
    public var specification: PolicySpecification { selector.specification }

    /// The next judged decision.
    public mutating func pollJudged() -> JudgedDecision? { judge?.poll() }

    /// Lets the policy in the shadow decide, and the one that decided be the shadow, each with all that
    /// it has learned.
    ///
    /// - Returns: whether another policy decides than before; nil without a shadow, and then nothing has
    ///   changed.
    public mutating func promoteShadow() -> Bool? {
        learn()
        let former = selector.specification
        guard judge?.exchange(with: &selector, next: ledger.next) == true else { return nil }
        beginJudging()
        needs = selector.specification.needs
        firstOwn = ledger.next
        isWaiting = false
        return selector.specification != former
    }
}
