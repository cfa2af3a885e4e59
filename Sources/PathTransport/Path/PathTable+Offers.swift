import PathLearning
import PathTelemetry

/// Which paths a decision chooses among.
///
/// A policy that waits or sends copies compares all paths; any other chooses among those that can send
/// now, since stream data should use all capacity.
extension PathTable {
    /// Offers paths for a burst of streams.
    ///
    /// - Parameters:
    ///   - burst: the most bytes of the burst.
    ///   - left: all bytes that have to be sent, the burst included.
    mutating func offerForStreams(
        burst: Int, left: Int, needs: PolicyNeeds, _ session: inout Session, now: Instant
    ) {
        var end = TransferEnd()
        if needs.leavesSlowPaths {
            end = TransferEnd(self, burst: burst, left: left, clock: session.clock, now: now)
        }
        for index in indices where takesData(index) {
            let room = self[index].room(now: now)
            if end.isLeft[index] {
                // Its rate is not measured.
                self[index].handleAppLimited()
                if room > 0 { session.engine.leave() }
            } else if room > 0 || needs.fullPaths {
                var snapshot = self[index].snapshot(now: now)
                offer(index, &snapshot, room: room, &session)
            }
        }
    }

    /// Offers paths for messages.
    ///
    /// - Parameter goAhead: they may take more than windows and pacers allow.
    mutating func offerForMessages(
        goAhead: Bool, needs: PolicyNeeds, _ session: inout Session, now: Instant
    ) {
        for index in indices where takesData(index) {
            let room = messageRoom(index, goAhead: goAhead, now: now)
            guard room > 0 || needs.fullPaths else { continue }
            var snapshot = self[index].snapshot(now: now)
            // A message may be sent before its pacer has credit.
            if goAhead, room > 0 { snapshot.pacingDelay = .zero }
            offer(index, &snapshot, room: room, &session)
        }
    }

    /// Bytes of messages that a path may be sent now.
    ///
    /// The only path that takes data is also sent some while it is silent.
    func messageRoom(_ index: Int, goAhead: Bool, now: Instant) -> Int {
        let room = self[index].messageRoom(goesAhead: goAhead, now: now)
        guard room == 0, let due = silentDeparture(index), due <= now else { return room }
        return self[index].mtu.current
    }

    /// When a silent path may be sent another message; nil if it is not, or others take data.
    func silentDeparture(_ index: Int) -> Instant? {
        guard takesData(index), let due = self[index].silentDeparture, !hasOtherTaking(than: index)
        else { return nil }
        return due
    }

    /// Tells the messages that wait when one that is sent now usually arrives over the best path that
    /// takes data; zero if only one waits, or a path is not measured.
    func expectArrival(
        _ messages: inout MessageSender, clock: borrowing ClockOffset, now: Instant
    ) {
        messages.expectedArrival = .zero
        guard messages.areSeveralUnsent else { return }
        var least = Double.infinity
        for index in indices where takesData(index) {
            let rtt = self[index].recovery.rtt
            let excess = max(.zero, min(rtt.smoothed, rtt.latest) - rtt.minimum)
            let known = clock.leastDelay(of: self[index].id)
            least = min(least, known.map { $0 + excess.seconds / 2 } ?? 0)
        }
        if least.isFinite { messages.expectedArrival = now + TimeDelta(seconds: least) }
    }

    private mutating func offer(
        _ index: Int, _ snapshot: inout PathSnapshot, room: Int, _ session: inout Session
    ) {
        let answerTime = self[index].answerTime
        session.engine.offer(
            &snapshot, of: &self[index].estimator, clock: &session.clock, room: room,
            answerTime: answerTime)
    }
}
