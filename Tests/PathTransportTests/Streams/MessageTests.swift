import Testing

@testable import PathTelemetry
@testable import PathTransport

@Suite struct MessageTests {
    private struct Packet {
        var chunk: MessageChunk
        var bytes: [UInt8]
    }

    /// Random messages over a network that loses, repeats and reorders: messages are delivered
    /// unchanged and once; reliable messages without deadline all arrive.
    @Test(arguments: 0..<100)
    func deliversEveryReliableMessageOnce(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let lossRate = [0, 0.1, 0.4][seed % 3]
        var sender = MessageSender(maximumCount: 16, maximumBytes: 200_000)
        var receiver = MessageReceiver(maximumCount: 64, maximumBytes: 8 << 20)
        var sizes: [UInt64: Int] = [:]
        var received: Set<UInt64> = []
        var network: [Packet] = []
        var answers: [MessageChunk] = []
        var delivered: Set<UInt64> = []
        var steps = 0
        while delivered.count < 40 {
            steps += 1
            guard steps < 50_000 else {
                Issue.record("seed \(seed): no end with \(delivered.count)")
                return
            }
            if sizes.count < 40 {
                let size =
                    Int.random(in: 0..<20, using: &random) == 0
                    ? 0 : Int.random(in: 1...20_000, using: &random)
                let bytes = Array(testBytes[..<size])
                if let number = try? enqueue(bytes, &sender) { sizes[number] = size }
            }
            for _ in 0..<Int.random(in: 0..<8, using: &random) {
                let limit = Int.random(in: 40..<1500, using: &random)
                guard let chunk = sender.nextChunk(limit: limit, now: .zero) else { break }
                #expect(chunk.length <= limit)
                var bytes = [UInt8](repeating: 0, count: chunk.length)
                let copied = bytes.withUnsafeMutableBytes { sender.copy(chunk, into: $0) }
                #expect(copied == true)
                if random.uniform() < lossRate {
                    lose(chunk, &sender)
                } else {
                    network.append(Packet(chunk: chunk, bytes: bytes))
                }
            }
            for _ in 0..<Int.random(in: 0..<8, using: &random) where !network.isEmpty {
                let index = Int.random(in: 0..<min(6, network.count), using: &random)
                let packet = network[index]
                if random.uniform() < 0.9 { network.remove(at: index) }
                _ = try take(packet.chunk, packet.bytes, &receiver)
                answers.append(packet.chunk)
            }
            while let message = receiver.deliver() {
                #expect(received.insert(message.number).inserted)
                #expect(sizes[message.number] == message.bytes.count)
                #expect(message.bytes == Array(testBytes[..<message.bytes.count]))
            }
            for _ in 0..<Int.random(in: 0..<8, using: &random) where !answers.isEmpty {
                let chunk = answers.remove(at: Int.random(in: 0..<answers.count, using: &random))
                if random.uniform() < 0.1 {
                    lose(chunk, &sender)
                } else {
                    sender.handleAcked(
                        number: chunk.number, offset: chunk.offset, length: chunk.length)
                }
            }
            while let outcome = sender.nextOutcome() {
                guard case .delivered(let number) = outcome else {
                    Issue.record("seed \(seed): \(outcome)")
                    return
                }
                #expect(received.contains(number) && delivered.insert(number).inserted)
            }
            guard sender.queuedBytes <= 200_000, sender.count <= 16 else {
                Issue.record("seed \(seed): the queue is over its bounds")
                return
            }
        }
        #expect(received.count == 40 && sender.count == 0 && sender.memoryBytes == 0)
        #expect(receiver.memoryBytes == 0 && receiver.droppedMessages == 0)
    }

    @Test func expiredMessagesAreDroppedAndReported() throws {
        var sender = MessageSender()
        let late = Instant.zero + .milliseconds(50)
        _ = try enqueue([UInt8](repeating: 1, count: 3000), &sender, deadline: late)
        _ = try enqueue([UInt8](repeating: 2, count: 10), &sender)
        #expect(sender.nextExpiry == late)
        let first = sender.nextChunk(limit: 1000, now: .zero)
        #expect(first?.offset == 0 && first?.length == 1000 && first?.total == 3000)
        _ = sender.nextChunk(limit: 1000, now: .zero)
        sender.handleAcked(number: 0, offset: 0, length: 1000)
        sender.handleLost(number: 0, offset: 1000, length: 1000)
        #expect(sender.head(now: .zero)?.bytes == 1000)
        #expect(sender.nextChunk(limit: 1000, now: late)?.number == 1)
        #expect(sender.nextOutcome() == .expired(number: 0, unacknowledged: 2000, unsent: 1000))
        #expect(sender.nextOutcome() == nil)
        #expect(sender.isOutstanding(0) == false)
        sender.handleAcked(number: 0, offset: 1000, length: 1000)
        sender.handleLost(number: 0, offset: 1000, length: 1000)
        #expect(sender.nextExpiry == .distantFuture && sender.queuedBytes == 10)
    }

    @Test func unreliableMessageEndsWithItsFirstLoss() throws {
        var sender = MessageSender()
        let bytes = [UInt8](repeating: 1, count: 3000)
        _ = try enqueue(bytes, &sender, isReliable: false)
        _ = sender.nextChunk(limit: 1000, now: .zero)
        _ = sender.nextChunk(limit: 1000, now: .zero)
        sender.handleAcked(number: 0, offset: 0, length: 1000)
        sender.handleLost(number: 0, offset: 0, length: 1000)
        #expect(sender.isOutstanding(0) == true)
        sender.handleLost(number: 0, offset: 1000, length: 1000)
        #expect(sender.nextOutcome() == .lost(number: 0))
        #expect(sender.nextChunk(limit: 1000, now: .zero) == nil)
        #expect(sender.count == 0)
    }

    @Test func aCopyIsOfWhatIsMissingAndEndsNothing() throws {
        var sender = MessageSender()
        _ = try enqueue([UInt8](repeating: 1, count: 2000), &sender, isReliable: false)
        let pieces = [
            sender.nextChunk(limit: 1000, now: .zero), sender.nextChunk(limit: 1000, now: .zero),
        ]
        let first = try #require(pieces[0])
        let second = try #require(pieces[1])
        #expect(!first.isCopy)
        sender.handleLate(first)
        sender.handleAcked(number: 0, offset: 0, length: 400)
        #expect(sender.isMissing(first) == true)
        let next = sender.nextChunk(limit: 1000, now: .zero)
        let copy = try #require(next)
        #expect(copy.isCopy && copy.isRetransmission && copy.offset == 400 && copy.length == 600)
        // While a copy is under way, the loss of the first one does not end the message.
        lose(first, &sender)
        let more = sender.nextChunk(limit: 1000, now: .zero)
        #expect(more == nil)
        #expect(sender.isOutstanding(0) == true)
        let half = sender.handleAcked(number: 0, offset: 400, length: 600)
        let whole = sender.handleAcked(number: 0, offset: second.offset, length: second.length)
        #expect(!half && whole)
        #expect(sender.isMissing(second) == false)
        #expect(sender.nextOutcome() == .delivered(number: 0))
    }

    @Test func smallRoomMakesNoCrumbs() throws {
        var sender = MessageSender()
        _ = try enqueue([UInt8](repeating: 1, count: 130), &sender)
        #expect(sender.nextChunk(limit: 63, now: .zero) == nil)
        #expect(sender.nextChunk(limit: 100, now: .zero)?.length == 100)
        #expect(sender.nextChunk(limit: 29, now: .zero) == nil)
        #expect(sender.nextChunk(limit: 30, now: .zero)?.length == 30)
    }

    @Test func queueIsBounded() throws {
        var sender = MessageSender(maximumCount: 3, maximumBytes: 1000)
        #expect(throws: StreamError.messageSize(bytes: 65_537, limit: 65_536)) {
            try enqueue([UInt8](repeating: 0, count: 65_537), &sender)
        }
        _ = try enqueue([UInt8](repeating: 0, count: 600), &sender)
        #expect(throws: StreamError.messageQueueFull(messages: 1, bytes: 600)) {
            try enqueue([UInt8](repeating: 0, count: 401), &sender)
        }
        _ = try enqueue([], &sender)
        _ = try enqueue([1], &sender)
        #expect(throws: StreamError.messageQueueFull(messages: 3, bytes: 601)) {
            try enqueue([1], &sender)
        }
        let empty = sender.nextChunk(limit: 1000, now: .zero)
        #expect(empty?.length == 600)
        #expect(sender.nextChunk(limit: 1000, now: .zero)?.total == 0)
        sender.handleAcked(number: 1, offset: 0, length: 0)
        #expect(sender.nextOutcome() == .delivered(number: 1))
        #expect(try enqueue([1], &sender) == 3)
    }

    /// An unfinished message must not let numbers exceed the peer's window.
    @Test func numbersStayInTheWindow() throws {
        var sender = MessageSender(maximumCount: 4)
        _ = try enqueue([1], &sender)
        _ = sender.nextChunk(limit: 100, now: .zero)
        var sent = 1
        while let number = try? enqueue([1], &sender) {
            _ = sender.nextChunk(limit: 100, now: .zero)
            sender.handleAcked(number: number, offset: 0, length: 1)
            sent += 1
        }
        #expect(sent == MessageLimits.window)
        sender.handleAcked(number: 0, offset: 0, length: 1)
        #expect(try enqueue([1], &sender) == UInt64(MessageLimits.window))
    }

    @Test func receiverExpiresIncompleteMessages() throws {
        var receiver = MessageReceiver(slack: .milliseconds(10))
        let part = [UInt8](repeating: 1, count: 10)
        #expect(try take(0, 0, 20, part, &receiver, lifetime: .milliseconds(30)) == .partial)
        #expect(receiver.nextExpiry == Instant.zero + .milliseconds(40))
        receiver.expire(now: .zero + .milliseconds(39))
        #expect(receiver.partialCount == 1)
        receiver.expire(now: .zero + .milliseconds(40))
        #expect(receiver.partialCount == 0 && receiver.memoryBytes == 0)
        #expect(receiver.expiredMessages == 1)
        #expect(try take(0, 10, 20, part, &receiver) == .duplicate)
        #expect(receiver.deliver() == nil)
    }

    @Test func receiverDropsTheOldestForRoom() throws {
        var receiver = MessageReceiver(maximumCount: 3, maximumBytes: 1 << 20)
        let part = [UInt8](repeating: 1, count: 10)
        #expect(try take(0, 0, 10, part, &receiver) == .complete)
        #expect(try take(1, 0, 20, part, &receiver) == .partial)
        #expect(try take(2, 0, 20, part, &receiver) == .partial)
        #expect(try take(3, 0, 20, part, &receiver) == .partial)
        #expect(receiver.droppedMessages == 1)
        #expect(try take(1, 10, 20, part, &receiver) == .duplicate)
        #expect(try take(2, 10, 20, part, &receiver) == .complete)
        #expect(try take(2, 10, 20, part, &receiver) == .duplicate)
        #expect(receiver.deliver()?.number == 0)
        #expect(receiver.deliver()?.bytes.count == 20)
        #expect(try take(2, 10, 20, part, &receiver) == .duplicate)
        var narrow = MessageReceiver(maximumBytes: 65_536)
        for number in 0..<3 as Range<UInt64> {
            _ = try take(number, 0, 30_000, part, &narrow)
            #expect(narrow.memoryBytes <= 65_536)
        }
        #expect(narrow.partialCount == 2 && narrow.droppedMessages == 1)
    }

    @Test func contradictionsAreErrors() throws {
        var receiver = MessageReceiver()
        let part = [UInt8](repeating: 1, count: 10)
        _ = try take(0, 0, 20, part, &receiver)
        for (number, offset, total) in [(0, 0, 21), (1, 15, 20), (1, -1, 20), (1, .max, 20)] {
            #expect(throws: StreamError.malformedMessage(number: UInt64(number))) {
                try take(UInt64(number), offset, total, part, &receiver)
            }
        }
        #expect(throws: StreamError.messageSize(bytes: 65_537, limit: 65_536)) {
            try take(5, 0, 65_537, part, &receiver)
        }
        #expect(throws: StreamError.malformedMessage(number: 6)) {
            try take(6, 0, 20, [], &receiver)
        }
        #expect(receiver.partialCount == 1)
    }

    @Test func arbitraryFragmentsNeverTrap() {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<200 {
            var receiver = MessageReceiver(maximumCount: 8, maximumBytes: 200_000)
            var sender = MessageSender(maximumCount: 8)
            _ = try? enqueue([1, 2, 3], &sender)
            var now = Instant.zero
            var base: UInt64 = 0
            for _ in 0..<200 {
                if Int.random(in: 0..<40, using: &random) == 0 {
                    base = random.next() &>> UInt64.random(in: 0..<64, using: &random)
                }
                let number = base &+ UInt64.random(in: 0..<12, using: &random)
                let total =
                    Int.random(in: 0..<4, using: &random) == 0
                    ? Int(truncatingIfNeeded: random.next())
                    : Int.random(in: 0..<300, using: &random)
                let offset =
                    Int.random(in: 0..<8, using: &random) == 0
                    ? Int(truncatingIfNeeded: random.next())
                    : Int.random(in: 0..<300, using: &random)
                let data = [UInt8](repeating: 3, count: Int.random(in: 0..<200, using: &random))
                let lifetime = TimeDelta(nanoseconds: Int64(truncatingIfNeeded: random.next()))
                _ = try? take(number, offset, total, data, &receiver, lifetime: lifetime, now: now)
                sender.handleAcked(number: number, offset: offset, length: total)
                sender.handleLost(number: number, offset: offset, length: total)
                _ = sender.nextChunk(limit: total, now: now)
                now += .milliseconds(7)
                if Int.random(in: 0..<4, using: &random) == 0 { _ = receiver.deliver() }
            }
            #expect(receiver.memoryBytes <= 200_000)
            #expect(receiver.partialCount + receiver.readyCount <= 8)
        }
    }

    @Test func deadlinesComeInOrder() {
        var random = SeededGenerator(seed: 8)
        var heap = DeadlineHeap(slots: 100)
        var model: [Int: Int64] = [:]
        for step in 0..<3000 {
            let slot = Int.random(in: 0..<100, using: &random)
            switch step % 3 {
            case 0, 1:
                model[slot] = Int64.random(in: 0..<1000, using: &random)
                heap.insert(slot, Instant(nanoseconds: model[slot] ?? 0))
            default:
                model[slot] = nil
                heap.remove(slot)
            }
            #expect(heap.earliest.nanoseconds == model.values.min() ?? .max)
            if step % 50 == 49 {
                let now = Int64.random(in: 0..<300, using: &random)
                while let expired = heap.popExpired(now: Instant(nanoseconds: now)) {
                    #expect(model.removeValue(forKey: expired).map { $0 <= now } == true)
                }
                #expect(model.values.allSatisfy { $0 > now })
            }
        }
    }

    private func lose(_ chunk: MessageChunk, _ sender: inout MessageSender) {
        sender.handleLost(number: chunk.number, offset: chunk.offset, length: chunk.length)
    }

    @discardableResult
    private func enqueue(
        _ bytes: [UInt8], _ sender: inout MessageSender, deadline: Instant = .distantFuture,
        isReliable: Bool = true
    ) throws -> UInt64 {
        try bytes.span.withUnsafeBytes { data throws(StreamError) in
            try sender.enqueue(
                data, options: MessageOptions(deadline: deadline, isReliable: isReliable),
                now: .zero)
        }
    }

    private func take(
        _ chunk: MessageChunk, _ bytes: [UInt8], _ receiver: inout MessageReceiver
    ) throws -> MessageArrival {
        try take(chunk.number, chunk.offset, chunk.total, bytes, &receiver)
    }

    @discardableResult
    private func take(
        _ number: UInt64, _ offset: Int, _ total: Int, _ bytes: [UInt8],
        _ receiver: inout MessageReceiver, lifetime: TimeDelta = .infinite, now: Instant = .zero
    ) throws -> MessageArrival {
        try bytes.span.withUnsafeBytes { data throws(StreamError) in
            try receiver.handle(
                number: number, offset: offset, total: total, data: data, lifetime: lifetime,
                now: now)
        }
    }
}
