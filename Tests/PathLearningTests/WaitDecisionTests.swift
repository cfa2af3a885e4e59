import Testing

@testable import PathLearning
@testable import PathTelemetry

/// Decisions to wait, because the paths with room are left alone.
@Suite struct WaitDecisionTests {
    private func begin(_ engine: inout DecisionEngine, at milliseconds: Int64) {
        engine.begin(
            bytes: 1_200, left: 90_000, deadline: .seconds(1), trafficClass: .stream,
            now: .zero + .milliseconds(milliseconds))
    }

    private func offer(_ engine: inout DecisionEngine, room: Int) {
        var clock = ClockOffset()
        var estimator = PathEstimator()
        var snapshot = PathSnapshot(path: PathID(3), state: .active, traits: PathTraits())
        engine.offer(
            &snapshot, of: &estimator, clock: &clock, room: room, answerTime: .zero)
    }

    @Test(arguments: ["learned", "min-rtt"])
    func theFirstOfARowIsRecorded(policy: String) throws {
        var engine = DecisionEngine(try PathSelector.make(policy))
        var waits: [UInt64] = []
        // Waits twice, sends, and waits again.
        for step in 0..<4 {
            begin(&engine, at: Int64(step))
            if step == 2 { offer(&engine, room: 5_000) } else { engine.leave() }
            switch engine.decide() {
            case .wait:
                let record = engine.record
                waits.append(record.number)
                #expect(record.decision.isForced && record.decision.propensity == 1)
                #expect(record.decision.action == .wait && record.candidates.count == 0)
                #expect(record.burst.bytes == 1_200 && record.burst.bytesLeft == 90_000)
            case .send(let dispatch):
                #expect(step == 2 && dispatch.path == PathID(3) && dispatch.number == 1)
            case .nothing: #expect(step == 1)
            }
        }
        #expect(waits == [0, 2])
    }

    /// Without a path that is left alone nothing is decided.
    @Test func withoutRoomNothingIsRecorded() throws {
        var engine = DecisionEngine(try PathSelector.make("learned"))
        begin(&engine, at: 0)
        offer(&engine, room: 0)
        guard case .nothing = engine.decide() else {
            Issue.record("a decision")
            return
        }
    }
}
