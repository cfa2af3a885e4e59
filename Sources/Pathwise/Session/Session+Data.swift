internal import PathTelemetry
internal import PathTransport

/// A complete message that arrived.
public struct Message: Sendable {
    /// The sender's count from zero; messages may arrive in another order.
    public let number: UInt64
    public let bytes: [UInt8]
}

extension Session {
    // MARK: messages

    /// Queues a message of at most 65,536 bytes for delivery within its deadline.
    ///
    /// It is lost if the deadline passes first: `events` reports it, and the message is not sent
    /// any more.
    ///
    /// - Parameters:
    ///   - bytes: of the message, which may be empty.
    ///   - deadline: from now, above zero; nil for none.
    ///   - isReliable: whether lost parts are retransmitted within the deadline; if not, the first
    ///     loss ends the message.
    ///   - priority: messages of a more urgent class leave before those of others that still wait.
    ///   - redundancy: bytes of copies on other paths that it pays for, as a share of its own, 0...1;
    ///     a message is copied while its path pauses and another one would deliver it sooner.
    /// - Returns: its number, which events use.
    /// - Throws: `deadline`, `ended`, or `stream` with `messageSize` or `messageQueueFull`.
    @discardableResult
    public func sendMessage(
        _ bytes: [UInt8], deadline: Duration? = nil, isReliable: Bool = true,
        priority: StreamPriority = .media, redundancy: Double = MessageOptions.usualRedundancy
    ) throws(SessionError) -> UInt64 {
        if let deadline, deadline <= .zero { throw .deadline(deadline) }
        try checkOpen()
        do throws(StreamError) {
            return try link.with { (connection, now) throws(StreamError) in
                let options = MessageOptions(
                    deadline: deadline.map { now + TimeDelta($0) } ?? .distantFuture,
                    isReliable: isReliable, priority: priority, redundancy: redundancy)
                return try bytes.span.withUnsafeBytes {
                    (raw: UnsafeRawBufferPointer) throws(StreamError) in
                    try connection.sendMessage(raw, options: options, now: now)
                }
            }
        } catch {
            throw .stream(error)
        }
    }

    /// Queues several messages at once, as `sendMessage` does one.
    ///
    /// - Parameters:
    ///   - messages: their bytes, copied before this returns.
    ///   - deadline: from now, of all of them.
    ///   - priority: of all of them.
    ///   - redundancy: of all of them, as in `sendMessage`.
    ///   - numbers: is replaced by the number of each message, or nil for one that was not taken
    ///     because the queue is full or the message too large.
    /// - Throws: `ended`.
    public func sendMessages(
        _ messages: [UnsafeRawBufferPointer], deadline: Duration,
        priority: StreamPriority = .media,
        redundancy: Double = MessageOptions.usualRedundancy, numbers: inout [UInt64?]
    ) throws(SessionError) {
        numbers.removeAll(keepingCapacity: true)
        try checkOpen()
        link.with { connection, now in
            let options = MessageOptions(
                deadline: now + TimeDelta(deadline), priority: priority, redundancy: redundancy)
            for message in messages {
                numbers.append(try? connection.sendMessage(message, options: options, now: now))
            }
        }
    }

    /// Moves the messages that have arrived, as many as fit, into a buffer, one after the other.
    ///
    /// It takes messages away from `messages`: use one of the two.
    ///
    /// - Parameters:
    ///   - buffer: of 65,536 bytes at least, the size of the largest message.
    ///   - lengths: is replaced by the length of each message in the buffer.
    package func takeMessages(
        into buffer: UnsafeMutableRawBufferPointer, lengths: inout [Int]
    ) {
        lengths.removeAll(keepingCapacity: true)
        link.with { connection, _ in
            var used = 0
            while let length = connection.nextMessageLength, length <= buffer.count - used,
                let taken = connection.receiveMessage(
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer[used...]))
            {
                used += taken
                lengths.append(taken)
            }
        }
    }

    /// Waits until messages may have arrived, for a caller of `takeMessages`.
    ///
    /// - Returns: false if the session has ended: there are no messages but those of now.
    package func waitForMessages() async -> Bool {
        if hub.reason != nil || Task.isCancelled { return false }
        await hub.wait(for: .message)
        return true
    }

    /// Calls `observer` on the driver's thread, which it must not hold up, for messages that arrive.
    ///
    /// It returns whether it has taken them all; if not, whoever waits for messages is told.
    package func observeMessages(_ observer: @escaping @Sendable () -> Bool) {
        hub.observeMessages(observer)
    }

    /// The numbers of messages of this side that were lost, from now on; see `messageLost`.
    ///
    /// It ends with the session. If nobody reads it, it keeps the newest 4096.
    public var lostMessages: AsyncStream<UInt64> { core.feed.losses() }

    /// The messages of the peer, each once, as soon as it is complete; ends with the session.
    ///
    /// For one task: if several read, each message goes to one of them.
    public var messages: AsyncStream<Message> {
        AsyncStream(unfolding: { await self.nextMessage() })
    }

    private func nextMessage() async -> Message? {
        while true {
            // Checked first, because messages that came before the end are returned after it.
            let hasEnded = hub.reason != nil
            if let message = link.with({ connection, _ in connection.receiveMessage() }) {
                return Message(number: message.number, bytes: message.bytes)
            }
            if hasEnded || Task.isCancelled { return nil }
            await hub.wait(for: .message)
        }
    }

    // MARK: streams

    /// Opens a stream that both sides can write to; the peer sees it with its first bytes.
    ///
    /// - Throws: `deadline`, `ended`, or `stream` with `streamLimit` if the peer allows no more now.
    public func openStream() throws(SessionError) -> SessionStream {
        try checkOpen()
        do throws(StreamError) {
            let id = try link.with { (connection, _) throws(StreamError) in
                try connection.openStream()
            }
            return SessionStream(id: id, hub: hub, link: link)
        } catch {
            throw .stream(error)
        }
    }

    /// Opens a stream and writes its first bytes without waiting; the peer sees it at once.
    ///
    /// - Parameter bytes: at most 16 KiB.
    /// - Throws: `ended`, or `stream` with `streamLimit` if the peer allows no more now.
    public func openStream(writing bytes: [UInt8]) throws(SessionError) -> SessionStream {
        precondition(bytes.count <= 16_384, "the first bytes have to fit the stream's buffer")
        try checkOpen()
        do throws(StreamError) {
            let id = try link.with { (connection, _) throws(StreamError) in
                let id = try connection.openStream()
                _ = try bytes.span.withUnsafeBytes { (raw) throws(StreamError) in
                    try connection.write(id, raw)
                }
                return id
            }
            return SessionStream(id: id, hub: hub, link: link)
        } catch {
            throw .stream(error)
        }
    }

    /// The next stream that the peer opened; nil if the session has ended or the task is cancelled.
    public func acceptStream() async -> SessionStream? {
        while true {
            let hasEnded = hub.reason != nil
            if let id = link.with({ connection, _ in connection.acceptStream() }) {
                return SessionStream(id: id, hub: hub, link: link)
            }
            if hasEnded || Task.isCancelled { return nil }
            await hub.wait(for: .opened)
        }
    }

    /// The streams that the peer opens, as from `acceptStream`; ends with the session.
    public var streams: AsyncStream<SessionStream> {
        AsyncStream(unfolding: { await self.acceptStream() })
    }
}
