public import PathLearning
public import PathTelemetry

extension Connection {
    /// Opens a stream; the peer hears of it with its first data.
    ///
    /// - Throws: `streamLimit` when the peer allows no more now.
    public mutating func openStream(
        isUnidirectional: Bool = false
    ) throws(StreamError) -> StreamID {
        try session.streams.open(isUnidirectional: isUnidirectional)
    }

    /// The next stream that the peer opened.
    public mutating func acceptStream() -> StreamID? { session.streams.accept() }

    /// Takes bytes to send, as many as there is room for; `streamWritable` tells when there is more.
    public mutating func write(
        _ stream: StreamID, _ bytes: UnsafeRawBufferPointer
    ) throws(StreamError) -> Int {
        guard closeReason == nil else { return 0 }
        return try session.streams.write(stream, bytes)
    }

    /// Ends the stream after what was written.
    public mutating func finish(_ stream: StreamID) throws(StreamError) {
        try session.streams.finish(stream)
    }

    /// Gives the sending half of a stream up.
    public mutating func reset(_ stream: StreamID, code: UInt64) throws(StreamError) {
        try session.streams.reset(stream, code: code)
    }

    /// Takes bytes in order; the stream is over when `isFinished`.
    public mutating func read(
        _ stream: StreamID, into buffer: UnsafeMutableRawBufferPointer
    ) throws(StreamError) -> (count: Int, isFinished: Bool) {
        let result = try session.streams.read(stream, into: buffer)
        news.statistics.streamBytesReceived += UInt64(result.count)
        return result
    }

    /// Tells the peer that no more of the stream is wanted.
    public mutating func stop(_ stream: StreamID, code: UInt64) throws(StreamError) {
        try session.streams.stop(stream, code: code)
    }

    /// Queues a message for delivery within its deadline; its number.
    ///
    /// - Throws: `messageSize`, `messageQueueFull`.
    public mutating func sendMessage(
        _ bytes: UnsafeRawBufferPointer, options: MessageOptions, now: Instant
    ) throws(StreamError) -> UInt64 {
        let number = try session.messages.enqueue(bytes, options: options, now: now)
        news.statistics.messagesSent += 1
        return number
    }

    /// The next message that arrived whole.
    public mutating func receiveMessage() -> (number: UInt64, bytes: [UInt8])? {
        guard let message = session.receivedMessages.deliver() else { return nil }
        news.statistics.messagesReceived += 1
        return message
    }

    // MARK: another model

    /// Goes on with another model between two decisions; an event tells.
    ///
    /// The replacement is made beforehand, so that nothing waits for it here. Packets under way,
    /// queues and congestion control do not notice.
    public mutating func replaceModel(_ replacement: PathSelector.Replacement, now: Instant) {
        guard session.engine.replaceModel(replacement) else {
            refuseModel("it was prepared for another policy", now: now)
            return
        }
        news.events.append(.modelReplaced(hash: replacement.modelHash, at: now))
    }

    /// Tells by an event that another model was offered and why it is not used.
    public mutating func refuseModel(_ reason: String, now: Instant) {
        news.events.append(.modelRefused(reason: reason, at: now))
    }

    // MARK: the end, events and records

    /// Tells how far UTC is from the clock of `now`, for features on a UTC grid; whoever knows the
    /// wall clock says so again as it is slewed or set.
    public mutating func setUTCOffset(_ offset: TimeDelta) {
        session.engine.setUTCOffset(offset)
    }

    /// Ends the connection; the peer is told.
    ///
    /// What was not acknowledged may be lost: wait for `streamDelivered` first.
    public mutating func close(now: Instant) { finish(.local, now: now) }

    /// The next thing that happened.
    public mutating func pollEvent() -> ConnectionEvent? {
        if let event = news.events.popFirst() { return event }
        guard let event = session.streams.nextEvent() else { return nil }
        return switch event {
        case .readable(let stream): .streamReadable(stream)
        case .writable(let stream): .streamWritable(stream)
        case .delivered(let stream): .streamDelivered(stream)
        case .reset(let stream, let code): .streamReset(stream, code: code)
        case .stopped(let stream, let code): .streamStopped(stream, code: code)
        }
    }

    /// When `takeSamples` should be called; distant future without recording.
    ///
    /// Apart from `pollTimeout`, because a sample changes nothing: a run is the same, packet for
    /// packet, whether or not it is recorded.
    public var sampleTimeout: Instant {
        isEstablished ? news.journal.sampleTimeout : .distantFuture
    }

    /// Records what is known of every path, if it is time.
    public mutating func takeSamples(now: Instant) {
        if now >= sampleTimeout { news.journal.takeSamples(of: paths, now: now) }
    }

    /// Hands the records since the last call to `body`, oldest first.
    ///
    /// After the end, with the last samples of all paths.
    public mutating func drainRecords(_ body: (borrowing TransportRecord) -> Void) {
        if isClosed {
            news.journal.takeLastSamples(of: paths, after: max(lastReceivedAt, lastEmptyPollAt))
        }
        news.journal.drain(body)
    }
}
