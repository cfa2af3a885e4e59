import PathTelemetry
import Testing

@testable import PathTransport

/// Classes of messages: which leave first while several wait.
@Suite struct MessagePriorityTests {
    private func add(
        _ count: Int, _ priority: StreamPriority, _ sender: inout MessageSender
    ) throws -> UInt64 {
        let bytes = [UInt8](repeating: 0, count: count)
        return try bytes.withUnsafeBytes {
            try sender.enqueue($0, options: MessageOptions(priority: priority), now: .zero)
        }
    }

    private func next(_ sender: inout MessageSender, limit: Int = 1_000) -> UInt64? {
        let head = sender.head(now: .zero)?.number
        let chunk = sender.nextChunk(limit: limit, now: .zero)
        #expect(chunk?.number == head, "the head is another one")
        return chunk?.number
    }

    /// More urgent classes first, in order within a class; a message that was begun is finished, and
    /// what was lost goes before all.
    @Test func theMoreUrgentLeaveFirst() throws {
        var sender = MessageSender()
        #expect(sender.hasUnsent == false)
        for priority in [StreamPriority.bulk, .bulk, .media, .interactive, .media] {
            _ = try add(900, priority, &sender)
        }
        #expect(next(&sender, limit: 500) == 3)
        let urgent = try add(900, .interactive, &sender)
        #expect(next(&sender) == 3)
        sender.handleLost(number: 3, offset: 0, length: 100)
        #expect((0..<6).map { _ in next(&sender) } == [3, urgent, 2, 4, 0, 1])
        #expect(next(&sender) == nil && sender.hasUnsent == false)
    }

    /// A message that would arrive after its deadline lets the others go first, and is sent when nothing
    /// else waits, or when it would arrive in time after all.
    @Test func theHopelessLetOthersGoFirst() throws {
        var sender = MessageSender()
        let bytes = [UInt8](repeating: 0, count: 900)
        for deadline in [10, 12, 40, 50, 60] as [Int64] {
            _ = try bytes.withUnsafeBytes {
                try sender.enqueue(
                    $0, options: MessageOptions(deadline: .zero + .milliseconds(deadline)),
                    now: .zero)
            }
        }
        sender.expectedArrival = .zero + .milliseconds(20)
        #expect(next(&sender) == 2)
        sender.handleLost(number: 2, offset: 0, length: 900)
        sender.expectedArrival = .zero + .milliseconds(45)
        #expect(next(&sender) == 3, "what was lost would be late too")
        sender.expectedArrival = .zero + .milliseconds(11)
        #expect(next(&sender) == 2)
        #expect(next(&sender) == 1, "a faster path has room")
        sender.expectedArrival = .zero + .milliseconds(20)
        #expect(next(&sender) == 4)
        #expect(next(&sender) == 0, "nothing else waits")
        #expect(next(&sender) == nil)
        for number in 0..<5 as Range<UInt64> {
            let isComplete = sender.handleAcked(number: number, offset: 0, length: 900)
            #expect(isComplete)
        }
    }

    /// Those that wait for others until their deadline are reported as expired.
    @Test func theHopelessExpire() throws {
        var sender = MessageSender()
        let bytes = [UInt8](repeating: 0, count: 900)
        for deadline in [10, 40] as [Int64] {
            _ = try bytes.withUnsafeBytes {
                try sender.enqueue(
                    $0, options: MessageOptions(deadline: .zero + .milliseconds(deadline)),
                    now: .zero)
            }
        }
        sender.expectedArrival = .zero + .milliseconds(20)
        #expect(next(&sender) == 1)
        let waits = sender.hasUnsent
        #expect(waits)
        sender.expire(now: .zero + .milliseconds(11))
        let outcome = sender.nextOutcome()
        #expect(outcome == .expired(number: 0, unacknowledged: 900, unsent: 900))
        let head = sender.head(now: .zero + .milliseconds(11))
        #expect(head == nil && sender.count == 1)
    }

    /// A message that ends while half of it was sent does not block the others.
    @Test func aBegunMessageThatEnds() throws {
        var sender = MessageSender()
        let bytes = [UInt8](repeating: 0, count: 900)
        let first = try bytes.withUnsafeBytes {
            try sender.enqueue(
                $0, options: MessageOptions(deadline: .zero + .seconds(1), priority: .bulk),
                now: .zero)
        }
        #expect(next(&sender, limit: 500) == first)
        let second = try add(10, .bulk, &sender)
        sender.expire(now: .zero + .seconds(2))
        #expect(sender.head(now: .zero + .seconds(2))?.number == second)
    }

    /// Bulk messages take half of the room; the rest is free for others.
    @Test func bulkLeavesRoom() throws {
        var sender = MessageSender(maximumCount: 10, maximumBytes: 1_000)
        for _ in 0..<5 { _ = try add(10, .bulk, &sender) }
        #expect(throws: StreamError.messageQueueFull(messages: 5, bytes: 50)) {
            try add(10, .bulk, &sender)
        }
        for _ in 0..<5 { _ = try add(10, .media, &sender) }
        #expect(throws: StreamError.messageQueueFull(messages: 10, bytes: 100)) {
            try add(10, .interactive, &sender)
        }
        var byBytes = MessageSender(maximumCount: 10, maximumBytes: 1_000)
        _ = try add(400, .bulk, &byBytes)
        #expect(throws: StreamError.messageQueueFull(messages: 1, bytes: 400)) {
            try add(200, .bulk, &byBytes)
        }
        // What has left makes room again.
        byBytes.handleAcked(number: 0, offset: 0, length: 400)
        #expect(next(&byBytes, limit: 1_000) == 0)
        byBytes.handleAcked(number: 0, offset: 0, length: 400)
        _ = try add(500, .bulk, &byBytes)
        _ = try add(500, .media, &byBytes)
    }

    /// A flow of 5 Mbit/s with a deadline of 120 ms beside one of 20 Mbit/s, over 10 Mbit/s: none of
    /// it is late if the other one is bulk, and nearly all of it without classes.
    @Test(arguments: [StreamPriority.bulk, .media])
    func videoBesideABulkFlow(other: StreamPriority) throws {
        var pair = try ConnectionPair(
            traits: [PathTraits(rateLimit: 1.25e6)], delay: { _, _ in .milliseconds(10) })
        pair.run(milliseconds: 200)
        var video: Set<UInt64> = []
        var late = 0
        var bulk = 0
        for step in 0..<4_000 {
            let now = pair.now
            func send(_ size: Int, _ priority: StreamPriority, _ deadline: TimeDelta) -> UInt64? {
                [UInt8](repeating: 0, count: size).withUnsafeBytes {
                    try? pair.client.sendMessage(
                        $0, options: MessageOptions(deadline: now + deadline, priority: priority),
                        now: now)
                }
            }
            if send(1_250, other, .seconds(1)) != nil { bulk += 1 }
            if send(1_250, other, .seconds(1)) != nil { bulk += 1 }
            if step % 2 == 0 {
                if let number = send(1_250, .media, .milliseconds(120)) {
                    video.insert(number)
                } else {
                    late += 1
                }
            }
            pair.run(milliseconds: 1)
            while let event = pair.client.pollEvent() {
                if case .messageExpired(let number) = event, video.contains(number) { late += 1 }
            }
            pair.box?.with { server in while server.receiveMessage() != nil {} }
        }
        if other == .bulk {
            #expect(late <= 20, "\(late) of 2,000 late")
            #expect(bulk > 1_000, "\(bulk)")
        } else {
            #expect(late > 1_000, "\(late) of 2,000 late")
        }
    }
}
