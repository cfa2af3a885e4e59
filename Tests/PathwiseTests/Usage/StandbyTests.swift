import PathTelemetry
import Testing

@testable import Pathwise

/// A client that makes its paths standby and active while the session runs.
@Suite(.serialized, .timeLimit(.minutes(1))) struct StandbyTests {
    private func states(_ session: Session) -> [String: PathState] {
        Dictionary(
            session.status().paths.map { ($0.name, $0.snapshot.state) },
            uniquingKeysWith: { first, _ in first })
    }

    private func wait(_ session: Session, for wanted: [String: PathState]) async throws {
        for _ in 0..<500 where states(session) != wanted {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(states(session) == wanted)
    }

    @Test func aPathBecomesStandbyAndActive() async throws {
        let pair = try SessionPair()
        let answering = pair.answer()
        let session = try await Session.connect(pair.options())
        try await wait(session, for: ["dsl": .active, "sat": .active])
        session.setStandby(name: "sat", true)
        session.setStandby(name: "none", true)
        #expect(states(session) == ["dsl": .active, "sat": .standby])
        let before = try #require(session.counters().first { $0.name == "sat" })
        #expect(try await SessionPair.ask(session, 2_000_000) == "2000000")
        let after = try #require(session.counters().first { $0.name == "sat" })
        #expect(after.bytesSent - before.bytesSent < 100_000)
        session.setStandby(name: "sat", false)
        #expect(states(session) == ["dsl": .active, "sat": .active])
        #expect(try await SessionPair.ask(session, 2_000_000) == "2000000")
        let active = try #require(session.counters().first { $0.name == "sat" })
        #expect(active.bytesSent - after.bytesSent > 200_000)
        let changes = session.status().changes.filter { $0.cause == .ownRequest }
        #expect(changes.map(\.to) == [.standby, .active])
        await session.close()
        await pair.server.close()
        answering.cancel()
    }

    /// The meter makes a path standby at its cap, in the next session too, and counts on.
    @Test func theMeterHoldsAPath() async throws {
        let folder = Folders()
        let pair = try SessionPair()
        let answering = pair.answer()
        let told = Guarded<[UsageChange]>([])
        let meter = try UsageMeter(
            caps: ["sat": ByteCap(bytes: 500_000)], folder: folder.file("state/usage")
        ) { change in told.withLock { $0.append(change) } }
        for number in 1...2 {
            let session = try await Session.connect(pair.options())
            meter.follow(session)
            if number == 1 {
                try await wait(session, for: ["dsl": .active, "sat": .active])
            }
            #expect(try await SessionPair.ask(session, 4_000_000) == "4000000")
            try await wait(session, for: ["dsl": .active, "sat": .standby])
            await session.close()
        }
        await meter.close()
        let use = try #require(meter.uses.first)
        #expect(use.isReached && use.used > 500_000)
        #expect(told.withLock { $0.count } == 1)
        let file = try #require(content(of: folder.file("state/usage/sat")))
        let stored = try UsageFile.parse(file, path: "sat").reduce(0) { $0 + $1.count.total }
        #expect(stored == use.used)
        await pair.server.close()
        answering.cancel()
    }
}
