import Glibc
import PathLearning
import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise
import Testing

@testable import PathTrace

/// Both sides of sessions over real sockets.
@Suite(.serialized) struct SessionTests {
    /// At the end every read returns zero bytes.
    @Test func readPastTheEndIsZero() async throws {
        let pair = try SessionPair()
        let answering = pair.answer()
        let session = try await Session.connect(pair.options())
        let stream = try session.openStream()
        try await stream.write([UInt8](repeating: 1, count: 1000))
        try stream.finish()
        let answer = try await SessionPair.read(stream)
        #expect(answer == Array("1000".utf8))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16, alignment: 1)
        defer { buffer.deallocate() }
        for _ in 0..<3 { #expect(try await stream.read(into: buffer) == 0) }
        // Both halves have ended on both sides by now, and then the connection ends.
        try await stream.waitUntilDelivered()
        try await Task.sleep(for: .milliseconds(50))
        #expect(try await stream.read(into: buffer) == 0)
        await session.close()
        #expect(try await stream.read(into: buffer) == 0)
        await pair.server.close()
        await answering.value
    }

    /// The recorded sent and received datagrams of both sides agree, path by path, and both traces
    /// pass verification.
    @Test func bothRecordingsAgree() async throws {
        let folder = TraceFolder()
        let recorder = try SessionRecorder(path: folder.file("server"), command: "test")
        let pair = try SessionPair(recorder: recorder)
        let answering = pair.answer()
        var options = pair.options()
        options.recorder = try SessionRecorder(path: folder.file("client"), command: "test")
        let session = try await Session.connect(options)
        #expect(try await SessionPair.ask(session, 3_000_000) == "3000000")
        // Acknowledgements and probes in flight arrive.
        try await Task.sleep(for: .milliseconds(300))
        await session.close()
        await pair.server.close()
        await answering.value
        try options.recorder?.close()
        recorder.end()
        try recorder.close()

        for side in ["client", "server"] {
            let report = try TraceVerifier(TraceReader(path: folder.file(side))).verify()
            #expect(report.isSound && report.decisions > 0 && report.outcomes > 0, "\(side)")
            #expect(
                try rows(folder.file(side), "SELECT name FROM path_names ORDER BY path")
                    == ["dsl", "sat"], "\(side)")
            #expect(
                try rows(
                    folder.file(side), "SELECT count(*) > 0 FROM events WHERE kind = 'connection'")
                    == ["1"], "\(side)")
        }
        func totals(_ side: String, _ direction: String) throws -> [[Int]] {
            try rows(
                folder.file(side),
                """
                SELECT path, packets_\(direction), bytes_\(direction) FROM path_totals ORDER BY path
                """
            ).map { $0.split(separator: "|").compactMap { Int($0) } }
        }
        // The first message leaves on all paths at once, and the server counts the one that it
        // answers.
        let sent = try totals("client", "sent")
        let received = try totals("server", "received")
        try #require(sent.count == 2 && received.count == 2)
        for (client, server) in zip(sent, received) {
            let missing = client[1] - server[1]
            #expect((0...1).contains(missing) && client[2] - server[2] == missing * 1200)
        }
        #expect(try totals("server", "sent") == totals("client", "received"))
        #expect(
            try rows(folder.file("server"), "SELECT role, policy FROM sessions") == [
                "receive|min-rtt"
            ])
    }

    /// Each client is a session of its own in the server's trace, with its key and its draws.
    @Test func everyClientIsASession() async throws {
        let folder = TraceFolder()
        let recorder = try SessionRecorder(path: folder.file("server"), command: "test")
        let pair = try SessionPair(clients: 2, recorder: recorder)
        let answering = pair.answer()
        for client in 0..<2 {
            let names = client == 0 ? ["fibre", "wifi"] : ["a\u{1b}[31m", "b"]
            let session = try await Session.connect(pair.options(client, names: names))
            #expect(try await SessionPair.ask(session, 200_000) == "200000")
            await session.close()
        }
        await pair.server.close()
        await answering.value
        recorder.end()
        try recorder.close()
        #expect(
            try rows(folder.file("server"), "SELECT peer FROM sessions ORDER BY id")
                == pair.clients.map(\.publicKey.base64))
        #expect(
            try rows(
                folder.file("server"), "SELECT count(DISTINCT seed), count(ended_ns) FROM sessions")
                == ["2|2"])
        #expect(
            try rows(folder.file("server"), "SELECT name FROM path_names ORDER BY session, path")
                == ["fibre", "wifi", "a\\x1b[31m", "b"])
        #expect(
            try rows(
                folder.file("server"),
                "SELECT count(*) FROM decisions GROUP BY session HAVING count(*) > 0"
            ).count == 2)
    }

    /// Without a given seed every session has its own; a given seed is kept.
    @Test func drawsAreNotShared() async throws {
        let pair = try SessionPair()
        let answering = pair.answer()
        var seeds: [UInt64] = []
        for fixed in [nil, nil, 7, 7] as [UInt64?] {
            var options = pair.options()
            options.seed = fixed
            let session = try await Session.connect(options)
            seeds.append(session.status().seed)
            await session.close()
        }
        #expect(seeds[0] != seeds[1] && seeds[2] == 7 && seeds[3] == 7)
        await pair.server.close()
        await answering.value
    }

    /// The 15 s grid of Starlink runs on the wall clock.
    @Test func theGridIsOnUTC() async throws {
        let folder = TraceFolder()
        let pair = try SessionPair()
        let answering = pair.answer()
        var options = pair.options(kind: .starlink)
        options.recorder = try SessionRecorder(path: folder.file("client"), command: "test")
        let session = try await Session.connect(options)
        _ = try await SessionPair.ask(session, 500_000)
        await session.close()
        await pair.server.close()
        await answering.value
        try options.recorder?.close()
        var wall = timespec()
        clock_gettime(CLOCK_REALTIME, &wall)
        let utc = Int64(wall.tv_sec) * 1_000_000_000 + Int64(wall.tv_nsec)
        let offset = utc - MonotonicClock.now().nanoseconds
        var compared = 0
        try TraceReader(path: folder.file("client")).forEachDecision { decision in
            let time = decision.record.time.nanoseconds + offset
            let phase = Double(time % 15_000_000_000) / 15e9 * 2 * Double.pi
            for index in 0..<decision.record.candidates.count {
                let features = decision.record.candidates[index].features
                #expect((features[Feature.gridSine.rawValue] - sin(phase)).magnitude < 1e-3)
                #expect((features[Feature.gridCosine.rawValue] - cos(phase)).magnitude < 1e-3)
                compared += 1
            }
        }
        #expect(compared > 5)
    }
}
