import PathTelemetry

/// On which paths acknowledgements are sent.
extension PathTable {
    /// The silence after which a path is doubted in any case, if a quarter of its round trip is
    /// shorter, and the least one, if packets usually come far sooner.
    private static let usualDoubt = TimeDelta.milliseconds(5)
    private static let leastDoubt = TimeDelta.milliseconds(2)

    /// The path for the acknowledgements that are due; nil when none can carry them.
    ///
    /// That is the fastest working one. If it has been silent while another was heard, it may have
    /// failed, and all acknowledgements with it: they are sent on the other as well, which the next
    /// call returns.
    mutating func nextAckPath(now: Instant) -> Int? {
        if let twin = ackTwin {
            ackTwin = nil
            if self[twin].isUsable { return twin }
        }
        guard let best = ackPath(now: now) else { return nil }
        ackTwin = doubt(of: best, now: now)
        return best
    }

    /// Whether data on the path may carry all acknowledgements that are owed: a path in doubt may not,
    /// as they would be sent nowhere else.
    func carriesAcks(_ index: Int, now: Instant) -> Bool {
        ackPath(now: now) == index && doubt(of: index, now: now) == nil
    }

    /// The path that was heard last, if `best` has been silent for much longer: for three times its usual
    /// pause, or a quarter of its round trip.
    private func doubt(of best: Int, now: Instant) -> Int? {
        let heard = self[best].lastReceivedAt ?? .zero
        let limit = min(
            max(PathTable.usualDoubt, self[best].recovery.rtt.smoothed / 4),
            max(PathTable.leastDoubt, self[best].arrivalSpacing * Int64(3)))
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
    mutating func appendAcks(_ packet: inout PacketBuilder, all: Bool, now: Instant) {
        for index in indices {
            guard self[index].received.owesAck,
                all || self[index].received.ackDueAt <= now
            else { continue }
            self[index].appendAck(&packet, isRepeated: ackTwin != nil, now: now)
        }
    }
}
