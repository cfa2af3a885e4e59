import PathLearning
import PathTelemetry

/// What the connection reports of its decisions and messages.
extension Session {
    /// Assigns a packet of a burst to its decision.
    mutating func noteSent(_ packet: borrowing SentPacket, path: PathID) {
        engine.handleSent(
            packet.decision, path: path, bytes: Int(packet.bytes), isFollowed: !packet.isByBytes)
        guard packet.isByBytes else { return }
        for frame in 0..<Int(packet.frameCount) {
            guard let piece = packet.frames[frame].piece else { continue }
            engine.follow(piece, of: packet.decision)
        }
    }

    /// Assigns a packet that retransmits lost or moved data to the decisions of the data.
    mutating func noteRepair(_ packet: borrowing SentPacket, path: PathID) {
        guard engine.followsBytes else { return }
        let pieces = packet.pieces
        engine.handleRepairSent(pieces.span, path: path, bytes: Int(packet.bytes))
    }

    /// Passes new outcomes, from which the policy has learned, to the recorder, and what they say of other
    /// policies to whoever has asked for it.
    mutating func reportOutcomes(_ paths: inout PathTable, _ news: inout ConnectionNews) {
        while let outcome = engine.pollOutcome() {
            if outcome.isLate { news.statistics.lateOutcomes += 1 }
            if let path = outcome.path, let index = paths.index(of: path) {
                paths[index].statistics.outcomes += 1
                if outcome.isLate { paths[index].statistics.lateOutcomes += 1 }
            }
            if news.journal.isOpen { news.journal.append(.outcome(outcome)) }
        }
        while let row = engine.pollJudged() { news.journal.append(.judged(row)) }
        while let event = engine.pollEvent() { news.events.append(.policyGuard(event)) }
    }

    /// Drops messages that are past their deadline, and reports them.
    mutating func expireMessages(now: Instant, _ news: inout ConnectionNews) {
        messages.expire(now: now)
        receivedMessages.expire(now: now)
        reportMessages(&news)
    }

    /// Reports the fate of this side's messages.
    mutating func reportMessages(_ news: inout ConnectionNews) {
        news.statistics.messagesSaved = messagesSaved
        while let outcome = messages.nextOutcome() {
            switch outcome {
            case .delivered(let number): news.events.append(.messageDelivered(number: number))
            case .expired(let number, _, _), .lost(let number):
                news.statistics.messagesExpired += 1
                news.events.append(.messageExpired(number: number))
            }
        }
    }
}
