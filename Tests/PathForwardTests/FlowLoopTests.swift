import Glibc
import PathNetwork
import PathTelemetry
import Synchronization
import Testing

@testable import PathForward

/// Who takes the turns of a loop.
@Suite(.timeLimit(.minutes(4))) struct FlowLoopTests {
    /// Notes the thread of each of its turns.
    private final class Note: LoopMember {
        let turns: Turns
        init(_ turns: Turns) { self.turns = turns }
        override func takeTurn(_ loop: FlowLoop) { turns.add(pthread_self()) }
    }

    private final class Turns: Sendable {
        private let threads = Mutex<[pthread_t]>([])
        func add(_ thread: pthread_t) { threads.withLock { $0.append(thread) } }
        var all: [pthread_t] { threads.withLock { $0 } }
        /// Blocks until there are so many turns.
        func wait(for count: Int) -> [pthread_t] {
            while all.count < count { usleep(1000) }
            return all
        }
    }

    /// Adds a member, and waits until the loop's thread has given it its first turn.
    private func join(_ loop: FlowLoop, _ turns: Turns) -> (token: UInt64, thread: pthread_t) {
        let token = Atomic<UInt64>(0)
        loop.run { loop in
            let member = Note(turns)
            loop.add(member)
            token.store(member.token, ordering: .releasing)
        }
        let thread = turns.wait(for: 1)[0]
        return (token.load(ordering: .acquiring), thread)
    }

    /// News for a loop that waits are handled before `tell` returns.
    @Test func tellerTakesTheTurnOfAWaitingLoop() async throws {
        try await blocking {
            let loop = try FlowLoop(named: "test-loop")
            let turns = Turns()
            let (token, thread) = join(loop, turns)
            #expect(thread != pthread_self())
            // On a busy machine the loop's thread may not have come to wait.
            var own = 0
            for _ in 0..<100 {
                usleep(5000)
                loop.tell(token, .changed)
                if turns.all.last == pthread_self() { own += 1 }
            }
            #expect(own > 50)
            loop.stop()
        }
    }

    /// News in quick succession are left to the loop's thread, and none is lost.
    @Test func quickNewsGoToTheLoopsThread() async throws {
        try await blocking {
            let loop = try FlowLoop(named: "test-loop")
            let turns = Turns()
            let (token, thread) = join(loop, turns)
            usleep(50_000)
            for _ in 0..<2000 { loop.tell(token, .changed) }
            usleep(50_000)
            // The loop joins several news into one turn.
            let all = turns.all
            #expect(all.dropFirst().contains(thread))
            let own = all.filter { $0 == pthread_self() }.count
            #expect(own < 1000, "\(own) of \(all.count)")
            loop.tell(token, .ended)
            _ = turns.wait(for: all.count + 1)
            #expect(turns.all.last == thread)
            loop.stop()
        }
    }

    /// A turn that needs another one wakes the loop's thread.
    @Test func unfinishedTurnsAreGoneOnWith() async throws {
        final class Twice: LoopMember {
            let turns: Turns
            var left = 0
            init(_ turns: Turns) { self.turns = turns }
            override func note(_ news: FlowLoop.News) { left = 1 }
            override func takeTurn(_ loop: FlowLoop) {
                turns.add(pthread_self())
                if left > 0 {
                    left -= 1
                    loop.schedule(self)
                }
            }
        }
        try await blocking {
            let loop = try FlowLoop(named: "test-loop")
            let turns = Turns()
            let token = Atomic<UInt64>(0)
            loop.run { loop in
                let member = Twice(turns)
                loop.add(member)
                token.store(member.token, ordering: .releasing)
            }
            let thread = turns.wait(for: 1)[0]
            for round in 1...20 {
                usleep(5000)
                loop.tell(token.load(ordering: .acquiring), .changed)
                #expect(turns.wait(for: 1 + 2 * round).last == thread)
            }
            loop.stop()
        }
    }
}
