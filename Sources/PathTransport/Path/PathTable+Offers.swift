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
            let room = self[index].messageRoom(goesAhead: goAhead, now: now)
            guard room > 0 || needs.fullPaths else { continue }
            var snapshot = self[index].snapshot(now: now)
            // A message may be sent before its pacer has credit.
            if goAhead, room > 0 { snapshot.pacingDelay = .zero }
            offer(index, &snapshot, room: room, &session)
        }
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
