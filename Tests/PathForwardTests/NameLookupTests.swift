import Glibc
import PathTelemetry
import Synchronization
import Testing

@testable import PathForward

/// Names whose server does not answer, and those who ask for others.
@Suite(.serialized, .timeLimit(.minutes(1))) struct NameLookupTests {
    private final class Client: Sendable {}

    /// Work that ends when it is told to, and counts.
    private final class Hanging: Sendable {
        private let isOver = Atomic<Bool>(false)
        let running = Atomic<Int>(0)
        let ended = Atomic<Int>(0)

        func run() {
            running.add(1, ordering: .relaxed)
            while !isOver.load(ordering: .acquiring) { usleep(2_000) }
            ended.add(1, ordering: .relaxed)
        }

        func end() { isOver.store(true, ordering: .releasing) }
    }

    private func asker(_ client: Client, _ host: String = "a.example") -> NameLookup.Asker {
        NameLookup.Asker(of: client, host: host)
    }

    @Test func namesOfOneClientDelayNoOther() async throws {
        let lookup = NameLookup()
        let (first, second) = (Client(), Client())
        let hanging = Hanging()
        for _ in 0..<500 {
            #expect(lookup.ask(for: asker(first)) { hanging.run() })
        }
        #expect(await eventually { hanging.running.load(ordering: .relaxed) == 8 })
        let answered = Atomic<Int>(0)
        for _ in 0..<20 {
            #expect(lookup.ask(for: asker(second)) { answered.add(1, ordering: .relaxed) })
        }
        // And names of this host wait for nobody, not even behind the client's own.
        #expect(
            lookup.ask(for: asker(first, "LocalHost")) { answered.add(1, ordering: .relaxed) })
        #expect(await eventually { answered.load(ordering: .relaxed) == 21 })
        #expect(hanging.running.load(ordering: .relaxed) == 8)
        hanging.end()
        #expect(await eventually { hanging.ended.load(ordering: .relaxed) == 500 })
    }

    /// Who waits for a name waits for a time, and not on when cancelled; what nobody waits for any more
    /// does not take a thread.
    @Test func namesThatNobodyWaitsForAreDropped() async throws {
        let lookup = NameLookup()
        let client = Client()
        let hanging = Hanging()
        for _ in 0..<8 { #expect(lookup.ask(for: asker(client)) { hanging.run() }) }
        #expect(await eventually { hanging.running.load(ordering: .relaxed) == 8 })
        let started = ContinuousClock.now
        let asker = asker(client)
        let late = await lookup.answer(for: asker, patience: .milliseconds(50)) { hanging.run() }
        guard case .late = late else { Issue.record("\(late)"); return }
        let cancelled = Task { await lookup.answer(for: asker) { hanging.run() } }
        cancelled.cancel()
        guard case .late = await cancelled.value else { Issue.record("not late"); return }
        #expect(started.duration(to: .now) < .seconds(5))
        hanging.end()
        let answer = await lookup.answer(for: asker) { 7 }
        guard case .answered(7) = answer else { Issue.record("\(answer)"); return }
        #expect(hanging.running.load(ordering: .relaxed) == 8)
    }

    @Test func oneClientHasOneQueueThatIsFull() async throws {
        let lookup = NameLookup()
        let (first, second) = (Client(), Client())
        let hanging = Hanging()
        for _ in 0..<8 { #expect(lookup.ask(for: asker(first)) { hanging.run() }) }
        #expect(await eventually { hanging.running.load(ordering: .relaxed) == 8 })
        for _ in 0..<1_024 { #expect(lookup.ask(for: asker(first)) {}) }
        #expect(!lookup.ask(for: asker(first)) {})
        #expect(lookup.ask(for: asker(second)) {})
        hanging.end()
        #expect(await eventually { hanging.ended.load(ordering: .relaxed) == 8 })
        #expect(await eventually { lookup.ask(for: asker(first)) {} })
    }

    @Test func namesOfThisHost() {
        let client = Client()
        for name in ["localhost", "LOCALHOST.", "a.localhost"] {
            #expect(asker(client, name) == .thisHost)
        }
        for name in ["localhost.example", "notlocalhost", "127.0.0.1"] {
            #expect(asker(client, name) == .client(ObjectIdentifier(client)))
        }
        #expect(NameLookup.Asker(of: nil, host: "a.example") == .own)
    }
}
