import Glibc
import PathLearning
import PathNetwork
import PathTelemetry
import PathTransport
import Synchronization
import Testing

@testable import Pathwise

/// Two hundred clients of one server at once, and clients that come and go while it runs.
@Suite(.serialized) struct ManyClientsTests {
    @Test func allAreServedAndOneIsCutOff() async throws {
        let pair = try SessionPair(clients: 200)
        let answering = pair.answer()
        let sessions = try await ManyClientsTests.connect(pair)
        #expect(sessions.count == 200)
        try await withThrowingTaskGroup(of: String.self) { group in
            for (number, session) in sessions.enumerated() {
                group.addTask { try await SessionPair.ask(session, 1000 + number) }
            }
            var answers: Set<String> = []
            for try await answer in group { answers.insert(answer) }
            #expect(answers.count == 200)
        }
        // All but the first stay.
        var allowed: [PublicKey: PresharedKey?] = [:]
        for client in pair.clients.dropFirst() { allowed[client.publicKey] = .some(nil) }
        pair.server.setClients(allowed)
        for await _ in sessions[0].events {}
        #expect(sessions[0].closeReason?.isWithdrawal == true)
        #expect(
            sessions[0].closeReason == .peer(code: 2, reason: CloseNotice.withdrawn.text))
        #expect(try await SessionPair.ask(sessions[1], 7) == "7")
        #expect(try await SessionPair.ask(sessions[199], 8) == "8")
        await #expect(throws: SessionError.self) { try await Session.connect(pair.options(0)) }
        // And it comes back.
        allowed[pair.clients[0].publicKey] = .some(nil)
        pair.server.setClients(allowed)
        let again = try await Session.connect(pair.options(0))
        #expect(try await SessionPair.ask(again, 9) == "9")
        await pair.server.close()
        await answering.value
    }

    private static func connect(_ pair: SessionPair, names: [String] = ["dsl"]) async throws
        -> [Session]
    {
        try await withThrowingTaskGroup(of: (Int, Session).self) { group in
            for number in pair.clients.indices {
                group.addTask {
                    (number, try await Session.connect(pair.options(number, names: names)))
                }
            }
            var all: [Int: Session] = [:]
            for try await (number, session) in group { all[number] = session }
            return pair.clients.indices.compactMap { all[$0] }
        }
    }

    /// Idle clients hardly cost a busy one: a measurement, for docs/measurements.md.
    @Test(.enabled(if: getenv("PATHWISE_BENCH") != nil, "a measurement"))
    func costOfIdleClients() async throws {
        for idle in [0, 200] {
            let pair = try SessionPair(clients: idle + 1)
            let answering = pair.answer()
            let sessions = try await ManyClientsTests.connect(pair)
            try await Task.sleep(for: .seconds(3))
            let start = ManyClientsTests.processorSeconds()
            let begin = MonotonicClock.now()
            for _ in 0..<2_000 { _ = try await SessionPair.ask(sessions[idle], 100) }
            let time = (MonotonicClock.now() - begin).seconds
            let used = ManyClientsTests.processorSeconds() - start
            print(
                "\(idle) idle clients: \(time / 2_000 * 1e6) us a request, "
                    + "\(used / 2_000 * 1e6) us of processor time")
            await pair.server.close()
            await answering.value
        }
    }

    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
