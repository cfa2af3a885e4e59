import PathLearning
import PathNetwork
import PathTelemetry
import PathTransport
import Testing

@testable import Pathwise

/// Tests a session's events about its paths and its end, and the ends of its waits.
@Suite(.serialized, .timeLimit(.minutes(1))) struct EventTests {
    /// A path whose network is cut is reported as out of service, and messages continue on the
    /// other.
    @Test func aDeadPathIsTold() async throws {
        let pair = try SessionPair()
        let relay = try Relay(to: pair.server.localAddresses[1].port)
        defer { relay.stop() }
        var options = pair.options()
        options.plans[1] = PathPlan(name: "dying", remote: .loopback(port: relay.port))
        let session = try await Session.connect(options)
        try await bothPathsWork(session)
        let dying = try #require(session.status().paths.first { $0.name == "dying" }).path
        let events = session.events
        let sending = Task {
            while !Task.isCancelled {
                try session.sendMessage([UInt8](repeating: 3, count: 500), deadline: .seconds(1))
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        relay.cut()
        let changes = try await within(.seconds(20)) {
            var states: [PathState] = []
            for await event in events {
                guard case .pathChanged(let change) = event, change.path == dying else { continue }
                states.append(change.to)
                if change.to == .failed { break }
            }
            return states
        }
        #expect(changes.first == .suspect && changes.last == .failed, "\(changes)")
        let alive = session.events
        let number = try session.sendMessage([1], deadline: .seconds(10))
        let isDelivered = try await within(.seconds(10)) {
            for await event in alive {
                if case .messageDelivered(number) = event { return true }
            }
            return false
        }
        #expect(isDelivered)
        sending.cancel()
        _ = await sending.result
        await session.close()
        await pair.server.close()
    }

    /// The last event of every listener says how the session ended, on both sides; a later listener
    /// gets only that event.
    @Test func theEndIsTheLastEvent() async throws {
        let pair = try SessionPair()
        let serving = Task {
            for await session in pair.server.sessions {
                var last: SessionEvent?
                for await event in session.events { last = event }
                return last
            }
            return nil
        }
        let session = try await Session.connect(pair.options())
        let events = session.events
        try await bothPathsWork(session)
        await session.close()
        let told = try await within(.seconds(10)) {
            var all: [SessionEvent] = []
            for await event in events { all.append(event) }
            return all
        }
        guard case .closed(.local)? = told.last else {
            Issue.record("\(told)")
            return
        }
        let late = try await within(.seconds(10)) {
            var all: [SessionEvent] = []
            for await event in session.events { all.append(event) }
            return all
        }
        #expect(late.count == 1)
        let atServer = try await within(.seconds(10)) { await serving.value }
        guard case .closed(.peer(code: 0, _))? = atServer else {
            Issue.record("\(String(describing: atServer))")
            return
        }
        await pair.server.close()
    }

    // MARK: cancellation

    /// Every wait ends when its task is cancelled, and the session continues.
    @Test func cancellingEndsEveryWait() async throws {
        let pair = try SessionPair()
        let answering = pair.answer()
        let session = try await Session.connect(pair.options())
        let stream = try session.openStream()
        let waits: [@Sendable () async throws -> Void] = [
            { for await _ in session.messages {} },
            { for await _ in session.streams {} },
            { for await _ in session.events {} },
            {
                let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 8, alignment: 1)
                defer { buffer.deallocate() }
                _ = try await stream.read(into: buffer)
            },
            { try await stream.waitUntilDelivered() },
        ]
        let throwing = [false, false, false, true, true]
        for (index, wait) in waits.enumerated() {
            let task = Task { try await wait() }
            try await Task.sleep(for: .milliseconds(20))
            task.cancel()
            let result = await task.result
            switch result {
            case .success: #expect(!throwing[index], "wait \(index) came back")
            case .failure(let error):
                #expect(throwing[index] && error is CancellationError, "wait \(index): \(error)")
            }
        }
        try stream.finish()
        #expect(try await SessionPair.read(stream) == Array("0".utf8))
        #expect(try await SessionPair.ask(session, 1000) == "1000")
        await session.close()
        await pair.server.close()
        await answering.value
    }

    /// A handshake that nobody answers ends with its task, long before its own time-out.
    @Test func connectingCanBeCancelled() async throws {
        let pair = try SessionPair()
        let relay = try Relay(to: pair.server.localAddresses[0].port)
        defer { relay.stop() }
        relay.cut()
        var options = pair.options()
        options.plans = [PathPlan(name: "cut", remote: .loopback(port: relay.port))]
        options.connection.handshakeTimeout = .seconds(600)
        let task = Task { [options] in try await Session.connect(options) }
        try await Task.sleep(for: .milliseconds(50))
        task.cancel()
        await #expect(throws: CancellationError.self) {
            try await within(.seconds(10)) { try await task.value }
        }
        await pair.server.close()
    }

    /// A second wait for the handshake or for a delivery returns too.
    @Test func whatHasHappenedIsNotWaitedFor() async throws {
        let pair = try SessionPair()
        let answering = pair.answer()
        let session = try await Session.connect(pair.options())
        let stream = try session.openStream()
        try await stream.write([UInt8](repeating: 1, count: 100_000))
        try stream.finish()
        try await within(.seconds(10)) {
            for _ in 0..<2 {
                try await session.waitUntilEstablished()
                try await stream.waitUntilDelivered()
            }
        }
        await session.close()
        await pair.server.close()
        await answering.value
    }

    /// A write that can continue is not a delivery.
    @Test func aWritableStreamIsNotDelivered() async throws {
        let hub = EventHub()
        let stream = StreamID(rawValue: 4)
        hub.hold(stream)
        hub.handle(.streamWritable(stream))
        let task = Task {
            await hub.wait(for: .delivered(stream))
            return Task.isCancelled
        }
        try await Task.sleep(for: .milliseconds(50))
        task.cancel()
        #expect(await task.value, "the wait ended before it was cancelled")
    }
}
