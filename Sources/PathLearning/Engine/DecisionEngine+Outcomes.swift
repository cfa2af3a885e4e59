public import PathTelemetry

extension DecisionEngine {
    // MARK: handle, what left

    /// A packet of the decision left.
    ///
    /// - Parameters:
    ///   - bytes: of its datagram.
    ///   - isFollowed: the packet is followed until its fate is known; false when its bytes are
    ///     (`follow`), because copies of them are under way.
    public mutating func handleSent(
        _ decision: UInt64, path: PathID, bytes: Int, isFollowed: Bool
    ) {
        ledger.handleSent(decision, path: path, bytes: bytes, isFollowed: isFollowed)
    }

    /// From now on bytes of the decision are followed, whatever packet brings them.
    public mutating func follow(_ piece: DataPiece, of decision: UInt64) {
        ledger.follow(piece, of: decision)
    }

    /// A datagram left that repairs lost or moved data.
    ///
    /// - Parameters:
    ///   - pieces: the data it carries.
    ///   - bytes: of the whole datagram.
    public mutating func handleRepairSent(_ pieces: Span<DataPiece?>, path: PathID, bytes: Int) {
        ledger.handleRepairSent(pieces, path: path, bytes: bytes)
    }

    /// All packets of the decision have left; one that sent nothing is forgotten.
    ///
    /// - Parameter isCut: the rest of it was given up, so that it cannot arrive any more.
    public mutating func handleComplete(_ decision: UInt64, isCut: Bool = false, now: Instant) {
        ledger.handleComplete(decision, isCut: isCut, now: now)
    }

    // MARK: handle, what became of it

    /// Some bytes are followed that any packet may bring.
    public var followsBytes: Bool { ledger.followsBytes }

    /// A packet that is followed as such arrived at `arrival` on the sender's clock.
    public mutating func handleAcknowledged(_ decision: UInt64, arrival: Instant, now: Instant) {
        ledger.handleAcknowledged(decision, arrival: arrival, now: now)
    }

    /// Bytes arrived at `arrival` on the sender's clock that may be followed.
    public mutating func handleArrived(_ piece: DataPiece, arrival: Instant, now: Instant) {
        ledger.handleArrived(piece, arrival: arrival, now: now)
    }

    /// A packet of the decision was declared lost.
    public mutating func handleLost(_ decision: UInt64) { ledger.handleLost(decision) }

    /// A packet that is followed as such is lost, or its data is on its way by another path.
    public mutating func handleMoved(_ decision: UInt64, _ pieces: Span<DataPiece?>) {
        ledger.handleMoved(decision, pieces)
    }

    /// When `handleTimeout` may have something to do.
    public var timeout: Instant { ledger.timeout }

    /// Closes as late what should have been acknowledged by now, had it arrived in time.
    ///
    /// - Parameter grace: one round trip and four variations of each path, by its number.
    public mutating func handleTimeout(now: Instant, grace: InlineArray<16, TimeDelta>) {
        ledger.handleTimeout(now: now, grace: grace)
    }

    /// The outcome of an open decision is known from elsewhere: a recording, or a simulated world.
    public mutating func handleOutcome(_ outcome: borrowing Outcome) {
        ledger.handleOutcome(outcome)
    }

    // MARK: poll, what became known

    /// The next outcome that became known; the policy learns from it before the next decision.
    public mutating func pollOutcome() -> Outcome? {
        guard let closed = ledger.popClosed() else { return nil }
        // Of one moment in the order of the decisions, whatever acknowledgement came first: a replay
        // knows when outcomes closed, and learns from them in the same order.
        var place = unlearned.count
        while place > 0, unlearned[place - 1].outcome.closedAt == closed.outcome.closedAt,
            unlearned[place - 1].outcome.decision > closed.outcome.decision
        {
            place -= 1
        }
        unlearned.insert(closed, at: place)
        return closed.outcome
    }

    /// Teaches the policy what became known since the last decision.
    mutating func learn() {
        for index in unlearned.indices {
            selector.learn(
                Feedback(
                    features: unlearned[index].open.features,
                    predictedDelivery: unlearned[index].open.predictedDelivery,
                    burst: unlearned[index].open.burst, outcome: unlearned[index].outcome,
                    now: unlearned[index].outcome.closedAt, path: unlearned[index].open.path,
                    action: unlearned[index].open.action,
                    propensity: unlearned[index].open.propensity,
                    memo: unlearned[index].open.memo, isForced: unlearned[index].open.isForced))
        }
        unlearned.removeAll(keepingCapacity: true)
    }

    /// The oldest thing that the policy's guard did and that was not handed out yet.
    public mutating func pollEvent() -> GuardEvent? { selector.pollEvent() }

    /// Goes on with another model between two decisions; false, and nothing changes, for one that was
    /// prepared for another policy.
    public mutating func replaceModel(_ replacement: PathSelector.Replacement) -> Bool {
        learn()
        return selector.replaceModel(replacement)
    }
}
