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
        let reached = told.withLock { $0 }.filter { if case .reached = $0 { true } else { false } }
        #expect(reached.count == 1)
        let file = try #require(content(of: folder.file("state/usage/sat")))
        let stored = try UsageFile.parse(file, path: "sat").reduce(0) { $0 + $1.count.total }
        #expect(stored == use.used)
        await pair.server.close()
        answering.cancel()
    }

    /// A path with a hard cap is removed at it, and the next session does not open it; when the cap
    /// is lifted, it is opened.
    @Test func aHardCapRemovesAPath() async throws {
        let folder = Folders()
        let pair = try SessionPair()
        let answering = pair.answer()
        func meter(_ bytes: UInt64) throws -> UsageMeter {
            try UsageMeter(
                caps: ["sat": ByteCap(bytes: bytes, isHard: true)],
                folder: folder.file("state/usage")
            ) { _ in }
        }
        let first = try meter(500_000)
        let session = try await Session.connect(pair.options())
        first.follow(session)
        #expect(try await SessionPair.ask(session, 4_000_000) == "4000000")
        for _ in 0..<500 where states(session)["sat"] == .active {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(states(session)["sat"] ?? .closed == .closed)
        #expect(states(session)["dsl"] == .active)
        for _ in 0..<500 where first.uses.first?.isReached != true {
            try await Task.sleep(for: .milliseconds(10))
        }
        let before = try #require(first.uses.first).used
        // One burst of this side, and what the server had under way.
        #expect((500_000..<900_000).contains(before), "\(before)")
        #expect(try await SessionPair.ask(session, 2_000_000) == "2000000")
        await first.close()
        #expect(try #require(first.uses.first).used - before < 20_000)
        #expect(first.stopped == ["sat"])
        await session.close()

        let second = try meter(500_000)
        var options = pair.options()
        try options.leaveOut(second.stopped)
        #expect(options.plans.map(\.name) == ["dsl"])
        let next = try await Session.connect(options)
        let absent = try #require(next.status().absentPaths.first)
        #expect(absent.name == "sat" && absent.isCapped && absent.reason == "its cap is used up")
        second.follow(next)
        #expect(try await SessionPair.ask(next, 1_000_000) == "1000000")
        #expect(states(next) == ["dsl": .active])
        #expect(try #require(second.uses.first).used - before < 20_000)
        await second.close()
        await next.close()
        options = pair.options(names: ["sat"])
        do {
            try options.leaveOut(second.stopped)
            Issue.record("no path is left, and that is no error")
        } catch {
            #expect("\(error)".hasPrefix("no path is left: the caps of sat are reached; "))
        }
        await pair.server.close()
        answering.cancel()
    }

    /// Other caps in a running session count on: each byte once, also of a path that gets its first cap
    /// when it has carried much.
    @Test func anotherCapCountsOn() async throws {
        let folder = Folders()
        let pair = try SessionPair()
        let answering = pair.answer()
        let session = try await Session.connect(pair.options(names: ["sat"]))
        func meter(_ bytes: UInt64) throws -> UsageMeter {
            try UsageMeter(
                caps: ["sat": ByteCap(bytes: bytes)], folder: folder.file("state/usage")
            ) { _ in }
        }
        func carried() throws -> UInt64 {
            let path = try #require(session.counters().first { $0.name == "sat" })
            return path.wireBytesSent + path.wireBytesReceived
        }
        #expect(try await SessionPair.ask(session, 3_000_000) == "3000000")
        let uncounted = try carried()
        var former: UsageMeter?
        for bytes in [50_000_000, 60_000_000, 70_000_000] {
            let next = try meter(UInt64(bytes))
            await former?.close()
            next.follow(session, after: former)
            #expect(try await SessionPair.ask(session, 1_000_000) == "1000000")
            former = next
        }
        let latest = try #require(former)
        await latest.close()
        let used = try #require(latest.uses.first).used
        let counted = try carried() - uncounted
        #expect(counted > 3_000_000)
        // Acknowledgements under way when the first meter began may be on either side.
        #expect(max(used, counted) - min(used, counted) < 10_000, "\(used) of \(counted)")
        await session.close()
        await pair.server.close()
        answering.cancel()
    }

    /// A path that was removed by its name comes back by it.
    @Test func aStoppedPathIsOpenedAgain() async throws {
        let pair = try SessionPair()
        let answering = pair.answer()
        let session = try await Session.connect(pair.options())
        try await wait(session, for: ["dsl": .active, "sat": .active])
        session.setStopped(name: "sat", true)
        session.setStopped(name: "sat", true)
        #expect(states(session)["sat"] ?? .closed == .closed)
        #expect(try await SessionPair.ask(session, 1_000_000) == "1000000")
        session.setStopped(name: "sat", false)
        for _ in 0..<500 {
            let active = session.status().paths.filter { $0.snapshot.state == .active }
            if Set(active.map(\.name)) == ["dsl", "sat"] { break }
            try await Task.sleep(for: .milliseconds(10))
        }
        let active = session.status().paths.filter { $0.snapshot.state == .active }
        #expect(Set(active.map(\.name)) == ["dsl", "sat"])
        await session.close()
        await pair.server.close()
        answering.cancel()
    }
}
