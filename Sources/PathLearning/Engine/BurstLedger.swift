import PathTelemetry

/// The open decisions, whose outcomes are not known yet, and the new outcomes.
///
/// A decision covers the bytes that it put on its path. They have arrived when the last one has, in
/// whichever packet: the first one, a copy, or a retransmission on any path. The receiver's time
/// stamp of that arrival is compared with the deadline; the time of the acknowledgement does not
/// matter. A burst that is not acknowledged one round trip and four variations after the deadline
/// counts as late.
struct BurstLedger: Sendable {
    /// One open decision, with what the learner needs when it closes.
    struct Open: Sendable {
        var time: Instant
        var burst: BurstContext
        /// The path that represents the burst, with its inputs for the learner.
        var path: PathID
        var features: FeatureVector
        var predictedDelivery: Double
        /// Paths that carry a copy, their probability, and the policy's memo.
        var action: PathSet
        var propensity: Double
        var memo: UInt64
        var isForced: Bool
        /// Bytes of its datagrams, by path.
        var bytes = PathBytes()
        var packets = 0
        var lost = 0
        /// Packets in flight that are tracked by packet number: neither acknowledged nor lost nor
        /// copied.
        var waiting = 0
        /// Bytes that `BurstPieces` tracks and that have not arrived.
        var missing: UInt64 = 0
        /// Whether all its packets were sent.
        var isComplete = false
        var isClosed = false
        /// Arrival of the latest byte, on the sender's clock.
        var lastArrival = Instant.zero
        /// When the acknowledgement of a timely arrival is overdue.
        var closesAt: Instant

        var deadline: Instant { time + burst.deadline }
    }

    struct Closed: Sendable {
        var open: Open
        var outcome: Outcome
    }

    /// The most open decisions; beyond that the oldest is closed as late.
    static let capacityLimit = 8192

    private var storage: [Open] = []
    private var mask = -1
    private var first: UInt64 = 0
    private(set) var next: UInt64 = 0
    private var closed: [Closed] = []
    private var closedHead = 0
    private var pieces = BurstPieces()
    /// Lower bound of the closing times of open decisions.
    private var earliestClose = Instant.distantFuture

    private func slot(_ number: UInt64) -> Int { Int(truncatingIfNeeded: number) & mask }

    /// Whether a decision still waits for its outcome.
    func isOpen(_ number: UInt64) -> Bool {
        number >= first && number < next && !storage[slot(number)].isClosed
    }

    /// Whether some bytes are tracked that several packets may carry.
    var followsBytes: Bool { !pieces.isEmpty }

    /// Opens the next decision and returns its number, counted from zero.
    mutating func open(_ entry: borrowing Open, now: Instant) -> UInt64 {
        if next - first >= UInt64(BurstLedger.capacityLimit) {
            close(first, delivery: nil, now: now)
        }
        if Int(next - first) > mask { grow(filler: copy entry) }
        storage[slot(next)] = copy entry
        earliestClose = min(earliestClose, entry.closesAt)
        next += 1
        return next - 1
    }

    private mutating func grow(filler: Open) {
        let size = max(64, storage.count * 2)
        var larger = Array(repeating: filler, count: size)
        for number in first..<next {
            larger[Int(truncatingIfNeeded: number) & (size - 1)] = storage[slot(number)]
        }
        storage = larger
        mask = size - 1
    }

    // MARK: sent packets

    /// Notes that a packet of the decision, or a copy, was sent.
    ///
    /// - Parameters:
    ///   - bytes: bytes of its datagram.
    ///   - isFollowed: the packet is tracked by its number; false if its bytes are tracked, because
    ///     copies of them are in flight.
    mutating func handleSent(_ number: UInt64, path: PathID, bytes: Int, isFollowed: Bool) {
        guard isOpen(number) else { return }
        let index = slot(number)
        storage[index].packets += 1
        storage[index].bytes.add(bytes, to: path)
        if isFollowed { storage[index].waiting += 1 }
    }

    /// Notes a datagram that retransmits lost or moved data; its bytes count for the decisions that
    /// the data belongs to.
    ///
    /// - Parameters:
    ///   - pieces: the data that it carries.
    ///   - bytes: bytes of the whole datagram.
    mutating func handleRepairSent(_ pieces: Span<DataPiece?>, path: PathID, bytes: Int) {
        guard followsBytes else { return }
        var rest = bytes
        var owner: UInt64?
        for index in pieces.indices {
            guard let piece = pieces[index], let found = openOwner(of: piece) else { continue }
            let own = min(rest, Int(clamping: piece.count))
            storage[slot(found)].bytes.add(own, to: path)
            rest -= own
            owner = owner ?? found
        }
        if let owner { storage[slot(owner)].bytes.add(rest, to: path) }
    }

    /// The open decision that bytes belong to, if they are tracked.
    private func openOwner(of piece: DataPiece) -> UInt64? {
        for at in pieces.positions {
            if let owner = pieces.owner(at: at, of: piece), isOpen(owner) { return owner }
        }
        return nil
    }

    /// Tracks bytes from now on, instead of the packet that carried them.
    mutating func follow(_ piece: DataPiece, of number: UInt64) {
        guard isOpen(number) else { return }
        pieces.add(piece, of: number)
        storage[slot(number)].missing &+= piece.count
    }

    /// Notes that all packets of the decision were sent.
    ///
    /// A decision that sent nothing is dropped.
    ///
    /// - Parameter isCut: the rest of it was abandoned, so it cannot arrive any more.
    mutating func handleComplete(_ number: UInt64, isCut: Bool = false, now: Instant) {
        guard isOpen(number) else { return }
        if storage[slot(number)].packets == 0 {
            storage[slot(number)].isClosed = true
            dropClosed()
        } else if !isCut {
            storage[slot(number)].isComplete = true
            closeIfArrived(number, now: now)
        }
    }

    // MARK: fate of packets

    /// Notes that a packet tracked by number arrived at `arrival` on the sender's clock.
    mutating func handleAcknowledged(_ number: UInt64, arrival: Instant, now: Instant) {
        guard isOpen(number) else { return }
        let index = slot(number)
        storage[index].waiting -= 1
        storage[index].lastArrival = max(storage[index].lastArrival, arrival)
        closeIfArrived(number, now: now)
    }

    /// Notes that bytes, which may be tracked, arrived at `arrival`.
    mutating func handleArrived(_ piece: DataPiece, arrival: Instant, now: Instant) {
        guard followsBytes else { return }
        var left = piece.count
        var at = pieces.positions.lowerBound
        while at < pieces.positions.upperBound, left > 0 {
            let number = pieces.decision(at: at)
            if !isOpen(number) {
                pieces.drop(at: at)
            } else if pieces.owner(at: at, of: piece) != nil {
                let bytes = pieces.take(piece, at: at)
                left -= min(left, bytes)
                let index = slot(number)
                storage[index].missing -= min(storage[index].missing, bytes)
                storage[index].lastArrival = max(storage[index].lastArrival, arrival)
                closeIfArrived(number, now: now)
            }
            at += 1
        }
        pieces.dropEmpty()
    }

    /// Notes that a packet tracked by number was lost, or that its data was queued on another path;
    /// its bytes are tracked from now on.
    mutating func handleMoved(_ number: UInt64, _ pieces: Span<DataPiece?>) {
        guard isOpen(number) else { return }
        storage[slot(number)].waiting -= 1
        for index in pieces.indices {
            if let piece = pieces[index] { follow(piece, of: number) }
        }
    }

    /// Notes that a packet of the decision was declared lost.
    mutating func handleLost(_ number: UInt64) {
        guard isOpen(number) else { return }
        storage[slot(number)].lost += 1
    }

    private mutating func closeIfArrived(_ number: UInt64, now: Instant) {
        let index = slot(number)
        guard storage[index].isComplete, storage[index].waiting <= 0,
            storage[index].missing == 0
        else { return }
        let time = storage[index].time
        let delivery = max(TimeDelta.microseconds(1), storage[index].lastArrival - time)
        let deadline = storage[index].burst.deadline
        close(number, delivery: delivery <= deadline ? delivery : nil, now: now)
    }

    /// Closes decisions whose acknowledgement would have come by now, had they arrived in time.
    ///
    /// - Parameter grace: one round trip and four variations of each path, by its number.
    mutating func handleTimeout(now: Instant, grace: InlineArray<16, TimeDelta>) {
        guard now >= earliestClose else { return }
        earliestClose = .distantFuture
        var number = first
        while number < next {
            let index = slot(number)
            if !storage[index].isClosed {
                if storage[index].closesAt <= now {
                    // Round trips may have grown, and retransmissions may have taken slower paths.
                    storage[index].closesAt = max(
                        storage[index].closesAt, closing(storage[index], grace: grace))
                }
                if storage[index].closesAt <= now {
                    close(number, delivery: nil, now: now)
                } else {
                    earliestClose = min(earliestClose, storage[index].closesAt)
                }
            }
            number += 1
        }
    }

    private func closing(_ open: borrowing Open, grace: InlineArray<16, TimeDelta>) -> Instant {
        var longest = TimeDelta.zero
        var paths = open.bytes.paths
        while let path = paths.popFirst() { longest = max(longest, grace[path.index]) }
        return open.deadline + longest
    }

    /// When `handleTimeout` may have something to do.
    var timeout: Instant { earliestClose }

    private mutating func close(_ number: UInt64, delivery: TimeDelta?, now: Instant) {
        let index = slot(number)
        storage[index].isClosed = true
        if storage[index].packets > 0 {
            let open = storage[index]
            closed.append(
                Closed(
                    open: open,
                    outcome: Outcome(
                        decision: number, delivery: delivery?.seconds, isLate: delivery == nil,
                        deadline: open.burst.deadline.seconds, packets: open.packets,
                        lostPackets: min(open.lost, open.packets), bytes: open.bytes,
                        closedAt: now, path: open.path)))
        }
        dropClosed()
    }

    private mutating func dropClosed() {
        while first < next, storage[slot(first)].isClosed { first += 1 }
        if first == next { earliestClose = .distantFuture }
    }

    /// Takes the outcome of an open decision from elsewhere: a recording, or a simulated world.
    mutating func handleOutcome(_ outcome: borrowing Outcome) {
        guard isOpen(outcome.decision) else { return }
        let index = slot(outcome.decision)
        storage[index].isClosed = true
        closed.append(Closed(open: storage[index], outcome: copy outcome))
        dropClosed()
    }

    /// The next new outcome, in the order of closing.
    mutating func popClosed() -> Closed? {
        guard closedHead < closed.count else { return nil }
        defer { closedHead += 1 }
        let entry = closed[closedHead]
        if closedHead + 1 == closed.count {
            closed.removeAll(keepingCapacity: true)
            closedHead = -1
        }
        return entry
    }
}
