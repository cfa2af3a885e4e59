import PathNetwork
import PathTelemetry
import PathTransport
import Testing

@testable import Pathwise

/// A session whose paths and recording change while it is used.
@Suite(.serialized, .timeLimit(.minutes(1))) struct LiveChangeTests {
    private func planner(_ pair: SessionPair, _ paths: [(String, Int, PathTraits)]) -> PathPlanner {
        PathPlanner(
            remotes: pair.server.localAddresses,
            rules: paths.map { name, port, traits in
                PathPlanner.Rule(
                    name: name, source: .address(.loopback(port: 0)),
                    remote: pair.server.localAddresses[port], traits: traits)
            })
    }

    private func active(_ session: Session) -> Set<String> {
        Set(session.status().paths.filter { $0.snapshot.state == .active }.map(\.name))
    }

    private func wait(_ session: Session, for names: Set<String>) async throws {
        for _ in 0..<500 where active(session) != names {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(active(session) == names)
    }

    private func session(_ pair: SessionPair, _ planner: PathPlanner) async throws -> Session {
        var options = try ClientOptions(
            identity: ClientIdentity(key: pair.clients[0], peer: pair.key.publicKey),
            planner: planner, policy: .roundRobin)
        options.connection.parameters.idleTimeout = .seconds(30)
        return try await Session.connect(options)
    }

    /// A path that stays keeps its number and its counters, and takes its traits; another goes, and
    /// a third comes.
    @Test func pathsComeAndGo() async throws {
        let pair = try SessionPair()
        let answering = pair.answer()
        let plain = PathTraits()
        let session = try await session(pair, planner(pair, [("a", 0, plain), ("b", 1, plain)]))
        try await wait(session, for: ["a", "b"])
        #expect(try await SessionPair.ask(session, 1_000_000) == "1000000")
        let before = try #require(session.counters().first { $0.name == "a" })
        let asking = Task { try await SessionPair.ask(session, 20_000_000) }
        session.setPlanner(
            planner(pair, [("a", 0, PathTraits(weight: 3, pricePerGB: 2)), ("c", 1, plain)]))
        try await wait(session, for: ["a", "c"])
        #expect(try await asking.value == "20000000")
        let after = try #require(session.counters().first { $0.name == "a" })
        #expect(after.path == before.path && after.bytesSent > before.bytesSent)
        let traits = session.status().paths.first { $0.name == "a" }?.snapshot.traits
        #expect(traits == PathTraits(weight: 3, pricePerGB: 2))
        // The peer was told that the path has gone, so it does not wait for an answer there.
        let gone = session.status().changes.filter { $0.to == .closed }
        #expect(gone.count == 1 && gone.first?.cause == .removed)
        #expect(session.status().absentPaths.isEmpty)
        await session.close()
        await pair.server.close()
        answering.cancel()
    }

    /// A path that its meter or a person put into reserve is free again.
    @Test func aHeldPathIsFree() async throws {
        let pair = try SessionPair()
        let answering = pair.answer()
        let rules = planner(pair, [("a", 0, PathTraits()), ("b", 1, PathTraits())])
        let session = try await session(pair, rules)
        try await wait(session, for: ["a", "b"])
        session.setStandby(name: "b", true)
        // Another plan does not lift what a cap has said.
        session.setPlanner(
            planner(pair, [("a", 0, PathTraits()), ("b", 1, PathTraits(weight: 2))]))
        #expect(active(session) == ["a"])
        session.setFree(name: "b")
        try await wait(session, for: ["a", "b"])
        session.setStopped(name: "b", true)
        try await wait(session, for: ["a"])
        session.setFree(name: "b")
        try await wait(session, for: ["a", "b"])
        await session.close()
        await pair.server.close()
        answering.cancel()
    }

    /// Recordings begin and end on both sides while data flows; each is whole, and has the paths that
    /// there were when it began.
    @Test func recordingsBeginAndEnd() async throws {
        let folder = TraceFolder()
        let pair = try SessionPair()
        let answering = pair.answer()
        let session = try await Session.connect(pair.options())
        try await wait(session, for: ["dsl", "sat"])
        #expect(try await SessionPair.ask(session, 500_000) == "500000")
        let client = try SessionRecorder(path: folder.file("client"), command: "test")
        let server = try SessionRecorder(path: folder.file("server"), command: "test")
        session.setRecorder(client)
        session.setRecorder(client)
        pair.server.setRecorder(server)
        #expect(try await SessionPair.ask(session, 3_000_000) == "3000000")
        session.setRecorder(nil)
        pair.server.setRecorder(nil)
        for recorder in [client, server] {
            recorder.end()
            try recorder.close()
        }
        #expect(try await SessionPair.ask(session, 500_000) == "500000")
        let other = try SessionRecorder(path: folder.file("other"), command: "test")
        session.setRecorder(other)
        #expect(try await SessionPair.ask(session, 500_000) == "500000")
        await session.close()
        other.end()
        try other.close()
        await pair.server.close()
        answering.cancel()
        for (name, least) in [("client", 20), ("server", 1), ("other", 5)] {
            let path = folder.file(name)
            #expect(
                try rows(path, "SELECT count(*), count(ended_ns) FROM sessions") == ["1|1"],
                "\(name)")
            #expect(
                try rows(path, "SELECT name FROM path_names ORDER BY path") == ["dsl", "sat"],
                "\(name)")
            let count = try rows(path, "SELECT count(*) FROM decisions").first.flatMap { Int($0) }
            #expect((least...3000).contains(try #require(count)), "\(name) \(count ?? 0)")
            let totals = try rows(path, "SELECT count(*) > 0 FROM path_totals")
            #expect(totals == ["1"], "\(name)")
        }
    }

    /// While data flows one file follows another: every decision of each has its outcome in the same
    /// file, and none is in two.
    @Test func recordingsFollowEachOther() async throws {
        let folder = TraceFolder()
        let pair = try SessionPair()
        let answering = pair.answer()
        let session = try await Session.connect(pair.options())
        try await wait(session, for: ["dsl", "sat"])
        var recorders: [SessionRecorder] = []
        for number in 0..<4 {
            let recorder = try SessionRecorder(
                path: folder.file("\(number)"), command: "test", share: number == 3 ? 0.3 : 1)
            recorders.append(recorder)
            session.setRecorder(recorder)
            #expect(try await SessionPair.ask(session, 2_000_000) == "2000000")
        }
        await session.close()
        for recorder in recorders {
            recorder.end()
            try recorder.close()
        }
        await pair.server.close()
        answering.cancel()
        var last = -1
        for number in 0..<4 {
            let path = folder.file("\(number)")
            #expect(try rows(path, "SELECT count(*) FROM stray_outcomes") == ["0"], "\(number)")
            // Only ends of streams without a byte, and the end of the session, leave some without.
            let missing = try rows(
                path,
                """
                SELECT count(*) FROM decisions d LEFT JOIN outcomes o ON o.decision = d.id
                    WHERE o.decision IS NULL AND NOT d.forced AND d.planned_bytes > 1
                """)
            if number < 3 { #expect(missing == ["0"], "\(number)") }
            let range = try rows(path, "SELECT min(number), max(number), count(*) FROM decisions")
            let numbers = try #require(range.first).split(separator: "|").compactMap { Int($0) }
            try #require(numbers.count == 3)
            #expect(numbers[0] > last && numbers[2] > 0)
            if number < 3 { #expect(numbers[1] - numbers[0] + 1 == numbers[2]) }
            last = numbers[1]
        }
        let counts = try (2...3).map {
            try rows(folder.file("\($0)"), "SELECT count(*) FROM decisions")
        }
        .compactMap { $0.first.flatMap { Int($0) } }
        #expect(counts[1] * 10 < counts[0] * 7, "\(counts)")
        #expect(
            try rows(folder.file("3"), "SELECT value FROM events WHERE kind = 'sampling'") == [
                "0.3"
            ])
    }

    /// Another policy decides in a session that goes on, on both sides; its recording gets a session of
    /// its own for each, without a decision lost between them.
    @Test func anotherPolicyDecides() async throws {
        let folder = TraceFolder()
        let pair = try SessionPair()
        let answering = pair.answer()
        let session = try await Session.connect(pair.options())
        try await wait(session, for: ["dsl", "sat"])
        let recorder = try SessionRecorder(path: folder.file("trace"), command: "test")
        session.setRecorder(recorder)
        #expect(try await SessionPair.ask(session, 500_000) == "500000")
        let asking = Task { try await SessionPair.ask(session, 5_000_000) }
        try await Task.sleep(for: .milliseconds(5))
        let before = session.status().policy
        try session.replacePolicy(.single(.name("sat")))
        #expect(try await asking.value == "5000000")
        #expect(before != "single" && session.status().policy == "single")
        let used = session.counters().map { ($0.name, $0.wireBytesSent) }
        #expect(try await SessionPair.ask(session, 2_000_000) == "2000000")
        for (name, bytes) in used {
            let more =
                try #require(session.counters().first { $0.name == name }).wireBytesSent - bytes
            #expect(name == "sat" ? more > 2_000_000 : more < 300_000, "\(name) \(more)")
        }
        // A path that does not exist changes nothing.
        #expect(throws: LearningError.self) {
            try session.replacePolicy(.single(.name("lte")))
        }
        #expect(session.status().policy == "single")
        try session.replacePolicy(.learned())
        for peer in pair.server.present { try peer.replacePolicy(.roundRobin) }
        #expect(try await SessionPair.ask(session, 2_000_000) == "2000000")
        #expect(pair.server.present.map { $0.status().policy } == ["round-robin"])
        #expect(session.status().modelChanges.compactMap(\.policy) == ["single", "learned"])
        await session.close()
        recorder.end()
        try recorder.close()
        await pair.server.close()
        answering.cancel()
        let path = folder.file("trace")
        #expect(
            try rows(path, "SELECT policy FROM sessions ORDER BY id") == [
                before, "single", "learned",
            ])
        #expect(try rows(path, "SELECT count(*) FROM stray_outcomes") == ["0"])
        #expect(
            try rows(
                path, "SELECT max(number) - min(number) + 1 - count(*) FROM decisions")
                == ["0"])
    }
}
