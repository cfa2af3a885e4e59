import PathTelemetry

extension Path {
    /// The silence after which a path is doubted in any case, if a quarter of its round trip is
    /// shorter, and the least one, if packets usually come far sooner.
    private static let usualDoubt = TimeDelta.milliseconds(5)
    private static let leastDoubt = TimeDelta.milliseconds(2)
    /// A path that paused for twice that keeps no pace until so long after it.
    static let pauseMemory = TimeDelta.milliseconds(300)

    /// The silence after which packets of the peer may be lost: three times their usual pause, or a
    /// quarter of a round trip.
    var doubtLimit: TimeDelta {
        min(
            max(Path.usualDoubt, recovery.rtt.smoothed / 4),
            max(Path.leastDoubt, arrivalSpacing * Int64(3)))
    }
}

/// On which paths acknowledgements are sent.
extension PathTable {
    /// The path for the acknowledgements that are due; nil when none can carry them.
    ///
    /// That is the fastest working one. If it has been silent while another was heard, it may have
    /// failed, and all acknowledgements with it: they are sent on the other as well, which the next
    /// call returns. With them goes, once, the latest one of the path in doubt: what had arrived there
    /// was acknowledged on that path, perhaps in vain, and the peer would send it again before what
    /// was lost. Where pauses are usual that is left out, as it would be sent all the time.
    mutating func nextAckPath(now: Instant) -> Int? {
        if let twin = ackTwin {
            ackTwin = nil
            if self[twin].isUsable { return twin }
        }
        repeatedAck = nil
        guard let best = ackPath(now: now) else { return nil }
        ackTwin = doubt(of: best, now: now)
        if ackTwin != nil, self[best].keepsPace(now: now) { repeatedAck = best }
        return best
    }

    /// Whether data on the path may carry all acknowledgements that are owed: a path in doubt may not,
    /// as they would be sent nowhere else.
    func carriesAcks(_ index: Int, now: Instant) -> Bool {
        ackPath(now: now) == index && doubt(of: index, now: now) == nil
    }

    /// The path that was heard last, if `best` has been silent for much longer.
    private func doubt(of best: Int, now: Instant) -> Int? {
        let heard = self[best].lastReceivedAt ?? .zero
        let limit = self[best].doubtLimit
        guard now - heard > limit else { return nil }
        var twin: Int?
        var latest = heard + limit
        for index in indices where self[index].isUsable && self[index].amplificationRoom >= 100 {
            guard let time = self[index].lastReceivedAt, time > latest else { continue }
            twin = index
            latest = time
        }
        return twin
    }

    /// Appends acknowledgements that are due; with `all` also those that could still wait.
    ///
    /// - Parameter carrier: the index of the packet's path.
    mutating func appendAcks(
        _ packet: inout PacketBuilder, on carrier: Int, all: Bool, now: Instant
    ) {
        for index in indices {
            let owes = self[index].received.owesAck
            if owes, all || self[index].received.ackDueAt <= now {
                self[index].appendAck(&packet, on: carrier, isRepeated: ackTwin != nil, now: now)
            } else if index == repeatedAck, ackTwin == nil,
                self[index].received.isNews(on: carrier)
            {
                self[index].appendAck(&packet, on: carrier, isRepetition: true, now: now)
            }
        }
    }
}
