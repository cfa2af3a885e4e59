import PathLearning
import PathTelemetry

/// The decisions whose outcome is not known yet, and the outcomes that became known.
///
/// A decision covers the packets that it put on its path. It closes with the last of them
/// acknowledged, with the first of them lost, or at its deadline: unanswered is late. Where copies
/// went over several paths it closes when as many packets arrived as one copy has.
struct BurstLedger {
    /// One open decision, with what the learner needs again when it closes.
    struct Open {
        var time: Instant
        var burst: BurstContext
        var candidate: Candidate
        /// Paths that carry a copy, with which probability, and what the policy remembers of it.
        var action: PathSet
        var propensity: Double
        var memo: UInt64
        var isForced: Bool
        var packets = 0
        var arrived = 0
        /// All its packets have left.
        var isComplete = false
        var isClosed = false
        /// Arrival of the latest packet, on the sender's clock.
        var lastArrival = Instant.zero

        var deadline: Instant { time + burst.deadline }
        var copies: Int { max(1, action.count) }
    }

    struct Closed {
        var open: Open
        var outcome: Outcome
    }

    /// Most decisions open at once; above it the oldest is closed as late.
    static let capacityLimit = 8192

    private var storage: [Open] = []
    private var mask = -1
    private var first: UInt64 = 0
    private(set) var next: UInt64 = 0
    private var closed: [Closed] = []
    private var closedHead = 0
    /// No open decision has an earlier deadline.
    private var earliestDeadline = Instant.distantFuture

    private func slot(_ number: UInt64) -> Int { Int(truncatingIfNeeded: number) & mask }

    private func isOpen(_ number: UInt64) -> Bool {
        number >= first && number < next && !storage[slot(number)].isClosed
    }

    /// Opens the next decision and returns its number, counted from zero.
    mutating func open(
        _ burst: BurstContext, candidate: Candidate, decision: borrowing Decision, now: Instant
    ) -> UInt64 {
        let entry = Open(
            time: now, burst: burst, candidate: candidate, action: decision.action,
            propensity: decision.propensity, memo: decision.memo, isForced: decision.isForced)
        if next - first >= UInt64(BurstLedger.capacityLimit) {
            close(first, delivery: nil, lost: 0, now: now)
        }
        if Int(next - first) > mask { grow(filler: entry) }
        storage[slot(next)] = entry
        earliestDeadline = min(earliestDeadline, entry.deadline)
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

    /// A packet of the decision left.
    mutating func handleSent(_ number: UInt64) {
        guard isOpen(number) else { return }
        storage[slot(number)].packets += 1
    }

    /// All packets of the decision have left.
    ///
    /// One that sent nothing is forgotten.
    mutating func handleComplete(_ number: UInt64, now: Instant) {
        guard isOpen(number) else { return }
        storage[slot(number)].isComplete = true
        if storage[slot(number)].packets == 0 {
            storage[slot(number)].isClosed = true
            dropClosed()
        } else {
            closeIfArrived(number, now: now)
        }
    }

    /// A packet of the decision arrived at `arrival` on the sender's clock.
    mutating func handleAcknowledged(_ number: UInt64, arrival: Instant, now: Instant) {
        guard isOpen(number) else { return }
        let index = slot(number)
        storage[index].arrived += 1
        storage[index].lastArrival = max(storage[index].lastArrival, arrival)
        closeIfArrived(number, now: now)
    }

    private mutating func closeIfArrived(_ number: UInt64, now: Instant) {
        let open = storage[slot(number)]
        let needed = (open.packets + open.copies - 1) / max(1, open.copies)
        guard open.isComplete, open.arrived >= needed else { return }
        let delivery = max(TimeDelta.microseconds(1), open.lastArrival - open.time)
        close(
            number, delivery: delivery <= open.burst.deadline ? delivery : nil, lost: 0, now: now)
    }

    /// A packet of the decision was lost: its path did not deliver the burst.
    mutating func handleLost(_ number: UInt64, now: Instant) {
        guard isOpen(number), storage[slot(number)].copies <= 1 else { return }
        close(number, delivery: nil, lost: 1, now: now)
    }

    /// Closes what is past its deadline.
    mutating func handleTimeout(now: Instant) {
        guard now >= earliestDeadline else { return }
        earliestDeadline = .distantFuture
        var number = first
        while number < next {
            let open = storage[slot(number)]
            if !open.isClosed {
                if open.deadline <= now {
                    close(number, delivery: nil, lost: 0, now: now)
                } else {
                    earliestDeadline = min(earliestDeadline, open.deadline)
                }
            }
            number += 1
        }
    }

    /// When `handleTimeout` may have something to do.
    var timeout: Instant { earliestDeadline }

    private mutating func close(_ number: UInt64, delivery: TimeDelta?, lost: Int, now: Instant) {
        let index = slot(number)
        storage[index].isClosed = true
        let open = storage[index]
        if open.packets > 0 {
            closed.append(
                Closed(
                    open: open,
                    outcome: Outcome(
                        decision: number, delivery: delivery?.seconds, isLate: delivery == nil,
                        deadline: open.burst.deadline.seconds, packets: open.packets,
                        lostPackets: lost, closedAt: now)))
        }
        dropClosed()
    }

    private mutating func dropClosed() {
        while first < next, storage[slot(first)].isClosed { first += 1 }
        if first == next { earliestDeadline = .distantFuture }
    }

    /// The next outcome that became known, in the order of closing.
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
