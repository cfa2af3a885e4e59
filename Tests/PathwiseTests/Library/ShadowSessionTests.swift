import PathEvaluation
import PathLearning
import PathTransport
import Testing

@testable import Pathwise

/// A policy in the shadow of sessions over loopback.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ShadowSessionTests {
    private func wait(_ what: () -> Bool) async throws {
        for _ in 0..<500 where !what() { try await Task.sleep(for: .milliseconds(10)) }
        #expect(what())
    }

    @Test func promotedAndTakenBack() async throws {
        let pair = try SessionPair()
        let answering = pair.answer()
        var options = pair.options()
        let shadow = try ShadowPolicy(.minRTT)
        options.connection.judging = .shadow(shadow)
        let session = try await Session.connect(options)
        #expect(session.status().shadow?.policy == "min-rtt")
        try await wait { session.status().paths.count { $0.snapshot.state == .active } == 2 }
        #expect(try await SessionPair.ask(session, 5_000_000) == "5000000")
        try await wait { (session.status().judgement?.report.decisions ?? 0) > 10 }
        let report = try #require(session.status().judgement?.report)
        #expect(report.shadow != nil && report.refused == 0)
        #expect(session.status().judgement?.dropped == 0)
        // Another one than was expected is not promoted.
        #expect(!session.promoteShadow(try ShadowPolicy(.steady)))
        #expect(session.status().policy == "round-robin")
        let asking = Task { try await SessionPair.ask(session, 20_000_000) }
        #expect(session.promoteShadow(shadow))
        #expect(session.status().policy == "min-rtt")
        #expect(session.status().shadow?.policy == "round-robin")
        #expect(try await asking.value == "20000000")
        #expect(session.promoteShadow())
        #expect(session.status().policy == "round-robin")
        try await wait { session.status().modelChanges.count == 2 }
        session.setJudging(.off)
        #expect(session.status().shadow == nil && session.status().judgement == nil)
        #expect(!session.promoteShadow())
        session.setJudging(.rules)
        #expect(try await SessionPair.ask(session, 1_000_000) == "1000000")
        try await wait { session.status().judgement?.report.shadow == nil }
        await session.close()
        await pair.server.close()
        answering.cancel()
    }
}
