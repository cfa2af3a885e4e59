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

    /// Queues a message of at most 60,000 bytes for delivery within its deadline.
    ///
    /// It is lost if the deadline passes first: `events` reports it, and the message is not sent
    /// any more.
    ///
    /// - Parameters:
    ///   - bytes: of the message, which may be empty.
    ///   - deadline: from now, above zero; nil for none.
    ///   - isReliable: whether lost parts are retransmitted within the deadline; if not, the first
    ///     loss ends the message.
    /// - Returns: its number, which events use.
    /// - Throws: `deadline`, `ended`, or `stream` with `messageSize` or `messageQueueFull`.
    @discardableResult
    public func sendMessage(
        _ bytes: [UInt8], deadline: Duration? = nil, isReliable: Bool = true
    ) throws(SessionError) -> UInt64 {
        if let deadline, deadline <= .zero { throw .deadline(deadline) }
        try checkOpen()
        do throws(StreamError) {
            return try link.with { (connection, now) throws(StreamError) in
                let options = MessageOptions(
                    deadline: deadline.map { now + TimeDelta($0) } ?? .distantFuture,
                    isReliable: isReliable)
                return try bytes.span.withUnsafeBytes {
                    (raw: UnsafeRawBufferPointer) throws(StreamError) in
                    try connection.sendMessage(raw, options: options, now: now)
                }
            }
        } catch {
            throw .stream(error)
        }
    }

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
