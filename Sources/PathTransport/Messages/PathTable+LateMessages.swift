import PathTelemetry

/// Messages on a path that pauses are sent on another one too, where that brings them sooner.
///
/// A radio link that pauses loses nothing: what it holds arrives when the pause ends. So each message
/// is weighed by itself: when its path is expected to deliver it, against the other path behind all
/// that it holds and that was moved there before. Moved ones thus spread over time, and none fills a
/// slow path that would deliver it later.
extension PathTable {
    /// How often a pausing path is looked at.
    private static let interval = TimeDelta.milliseconds(2)
    /// The most packets of a path that are weighed at a time.
    private static let window: UInt64 = 512
    /// How much sooner a copy has to arrive, and how long it may wait in the other path's queue, as a
    /// share of the least round trip.
    private static let margin = 0.5

    /// What a path holds.
    private func queue(_ index: Int, clock: borrowing ClockOffset, now: Instant) -> PathQueue {
        PathQueue(
            self[index].snapshot(now: now), evidence: self[index].estimator.evidence,
            clockOffset: clock.estimate, now: now)
    }

    /// The path on which a lost or copied message arrives first.
    ///
    /// - Parameter loser: the path of the latest loss, which is avoided if possible.
    func repairPath(loser: PathID?, clock: borrowing ClockOffset, now: Instant) -> Int? {
        var best: Int?
        var bestScore = Double.infinity
        for index in indices {
            guard takesData(index), self[index].room(now: now) > 0 else { continue }
            var score = queue(index, clock: clock, now: now).arrival
            if self[index].id == loser { score += 1 }
            if score < bestScore {
                bestScore = score
                best = index
            }
        }
        return best
    }

    /// Whether another path takes data.
    func hasOtherTaking(than index: Int) -> Bool {
        for other in indices where other != index && takesData(other) { return true }
        return false
    }

    private func mayHoldLate(_ index: Int, _ session: borrowing Session) -> Bool {
        session.messages.count > 0 && (self[index].isUsable || self[index].state == .suspect)
            && hasOtherTaking(than: index)
    }

    /// When `moveLate` may have something to do.
    func lateTimeout(_ session: borrowing Session) -> Instant {
        var next = Instant.distantFuture
        for index in indices where mayHoldLate(index, session) {
            guard let oldest = self[index].recovery.oldestUnanswered else { continue }
            let rtt = self[index].recovery.rtt
            let due = oldest + min(rtt.minimum, rtt.smoothed) + PathQueue.slack
            next = min(next, max(due, session.nextLateCheck))
        }
        return next
    }

    /// Queues messages for other paths that would deliver them sooner.
    mutating func moveLate(now: Instant, _ session: inout Session) {
        guard now >= session.nextLateCheck else { return }
        session.nextLateCheck = now + PathTable.interval
        var moved = 0
        for index in indices where mayHoldLate(index, session) {
            let queue = queue(index, clock: session.clock, now: now)
            guard queue.pause > 0,
                let target = soonest(than: index, clock: session.clock, now: now)
            else { continue }
            moveLate(from: index, queue, to: target, &moved, now: now, &session)
        }
    }

    /// The other path with room that would deliver a message first, and what it holds.
    private func soonest(
        than index: Int, clock: borrowing ClockOffset, now: Instant
    ) -> (index: Int, queue: PathQueue)? {
        var best: (index: Int, queue: PathQueue)?
        for other in indices where other != index && takesData(other) {
            guard self[other].room(now: now) > 0 else { continue }
            let queue = queue(other, clock: clock, now: now)
            if let best, best.queue.arrival <= queue.arrival { continue }
            best = (other, queue)
        }
        return best
    }

    /// - Parameter moved: bytes that were queued for other paths and not sent yet.
    private mutating func moveLate(
        from index: Int, _ own: PathQueue, to target: (index: Int, queue: PathQueue),
        _ moved: inout Int, now: Instant, _ session: inout Session
    ) {
        let isSuspect = self[index].state == .suspect
        // Its pause may be an outage, so it is expected to last as long again as it was silent.
        let longer =
            isSuspect ? max(0, (self[index].silence(now: now)?.seconds ?? 0) - own.pause) : 0
        let room = self[target.index].room(now: now)
        var number = self[index].recovery.packets.first
        let end = min(self[index].recovery.packets.next, number &+ PathTable.window)
        var ahead = 0
        while number < end {
            defer { number &+= 1 }
            guard self[index].recovery.packets[number].state == .inFlight else { continue }
            let bytes = Int(self[index].recovery.packets[number].bytes)
            ahead += bytes
            guard !self[index].recovery.packets[number].isReinjected,
                self[index].recovery.packets[number].hasMessages, moved + bytes <= room
            else { continue }
            let age = (now - self[index].recovery.packets[number].sentAt).seconds
            let stays = own.arrival(upTo: ahead, age: age) + longer
            let other = target.queue.arrival + Double(moved + bytes) * target.queue.perByte
            let isWorthwhile =
                isSuspect
                ? stays > other
                : stays > other + PathTable.margin * own.leastRTT
                    && other <= target.queue.leastDelay + PathTable.margin * target.queue.leastRTT
            guard isWorthwhile,
                session.takesCopy(
                    of: self[index].recovery.packets[number],
                    arriving: now + TimeDelta(seconds: other), isFree: isSuspect)
            else { continue }
            moved += bytes
            self[index].recovery.packets[number].isReinjected = true
            session.handleLate(self[index].recovery.packets[number])
            self[index].recovery.packets[number].isByBytes = true
        }
    }
}
