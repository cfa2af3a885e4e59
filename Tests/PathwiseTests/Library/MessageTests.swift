import PathLearning
import PathNetwork
import PathTransport
import Pathwise
import Testing

/// Messages and streams in both directions, over real sockets.
@Suite(.serialized, .timeLimit(.minutes(1))) struct MessageTests {
    /// The bytes of a message of one side, all different.
    private static func bytes(_ number: Int, of side: UInt8) -> [UInt8] {
        // From zero to several packets.
        let length = number % 7 == 0 ? number * 40 : number * 3 % 1000
        return [side, UInt8(number & 255), UInt8(number >> 8)]
            + (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ number) }
    }

    /// Sends all messages of a side, and receives as many of the other.
    private static func exchange(
        _ session: Session, _ side: UInt8, _ count: Int
    ) async throws -> [Message] {
        let taking = Task {
            var taken: [Message] = []
            for await message in session.messages {
                taken.append(message)
                if taken.count == count { break }
            }
            return taken
        }
        for number in 0..<count {
            let sent = try session.sendMessage(bytes(number, of: side), deadline: .seconds(20))
            #expect(sent == UInt64(number))
            if number % 50 == 49 { try await Task.sleep(for: .milliseconds(5)) }
        }
        return try await within(.seconds(20)) {
            await withTaskCancellationHandler {
                await taking.value
            } onCancel: {
                taking.cancel()
            }
        }
    }

    /// On an idle session a message is on its way when `sendMessage` returns: no thread has to be
    /// woken for it.
    @Test func messagesAreSentAtOnce() async throws {
        let pair = try SessionPair()
        let session = try await Session.connect(pair.options())
        defer { withExtendedLifetime(pair.server) {} }
        let usable = { session.status().paths.filter { $0.snapshot.state == .active }.count }
        for _ in 0..<1000 where usable() < 2 { try await Task.sleep(for: .milliseconds(5)) }
        func sent() -> UInt64 {
            session.status().paths.reduce(0) { $0 + $1.statistics.bytesSent }
        }
        var atOnce = 0
        for _ in 0..<20 {
            try await Task.sleep(for: .milliseconds(2))
            let before = sent()
            try session.sendMessage([UInt8](repeating: 7, count: 1000), deadline: .seconds(5))
            if sent() >= before + 1000 { atOnce += 1 }
        }
        #expect(atOnce == 20)
        await session.close()
        await pair.server.close()
    }

    @Test func eachArrivesOnceInBothDirections() async throws {
        let count = 600
        let pair = try SessionPair()
        let serving = Task {
            for await session in pair.server.sessions {
                return try await MessageTests.exchange(session, 2, count)
            }
            return []
        }
        let session = try await Session.connect(pair.options())
        let atClient = try await MessageTests.exchange(session, 1, count)
        let atServer = try await within(.seconds(20)) { try await serving.value }
        for (side, messages) in [(UInt8(2), atClient), (1, atServer)] {
            #expect(Set(messages.map(\.number)) == Set(0..<UInt64(count)), "side \(side)")
            #expect(messages.count == count)
            let damaged = messages.filter {
                $0.bytes != MessageTests.bytes(Int($0.number), of: side)
            }
            #expect(damaged.isEmpty, "side \(side): \(damaged.map(\.number))")
        }
        await session.close()
        await pair.server.close()
    }

    /// A message that was not delivered within its deadline is reported as lost and never arrives;
    /// later ones arrive and are reported as delivered.
    @Test func aMessagePastItsDeadlineIsLost() async throws {
        let pair = try SessionPair()
        let relay = try Relay(to: pair.server.localAddresses[0].port)
        defer { relay.stop() }
        var options = pair.options()
        options.plans = [PathPlan(name: "only", remote: .loopback(port: relay.port))]
        let session = try await Session.connect(options)
        let events = session.events
        relay.cut()
        let lost = try session.sendMessage([1], deadline: .milliseconds(100))
        let told = try await within(.seconds(10)) { await MessageTests.fate(of: lost, in: events) }
        #expect(told == "lost")
        relay.heal()
        let later = session.events
        let kept = try session.sendMessage([2], deadline: .seconds(20))
        let fate = try await within(.seconds(20)) { await MessageTests.fate(of: kept, in: later) }
        #expect(fate == "delivered")
        var arrived: [[UInt8]] = []
        for await served in pair.server.sessions {
            await session.close()
            // Ends with the session.
            for await message in served.messages { arrived.append(message.bytes) }
            break
        }
        #expect(arrived == [[2]])
        #expect(session.status().statistics.messagesExpired == 1)
        await pair.server.close()
    }

    private static func fate(of number: UInt64, in events: AsyncStream<SessionEvent>) async
        -> String
    {
        for await event in events {
            switch event {
            case .messageLost(number): return "lost"
            case .messageDelivered(number): return "delivered"
            case .closed(let reason): return "\(reason)"
            default: continue
            }
        }
        return "no more events"
    }

    /// A server opens a stream like a client, and both read to its end.
    @Test func bothSidesOpenStreams() async throws {
        let pair = try SessionPair()
        let text = Array("who opened it does not matter".utf8)
        let serving = Task {
            for await session in pair.server.sessions {
                let stream = try session.openStream()
                try await stream.write(text)
                try stream.finish()
                let answer = try await SessionPair.read(stream)
                for await opened in session.streams {
                    let read = try await SessionPair.read(opened)
                    try await opened.write(read + answer)
                    try opened.finish()
                    try await opened.waitUntilDelivered()
                    break
                }
            }
        }
        let session = try await Session.connect(pair.options())
        let answer = try await within(.seconds(20)) {
            let opened = try #require(await session.acceptStream())
            let read = try await SessionPair.read(opened)
            try await opened.write(read.reversed())
            try opened.finish()
            let own = try session.openStream()
            try await own.write([7])
            try own.finish()
            return try await SessionPair.read(own)
        }
        #expect(answer == [7] + text.reversed())
        await session.close()
        await pair.server.close()
        try await serving.value
    }
}
