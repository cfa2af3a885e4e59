import PathLearning
public import PathTelemetry

extension Connection {
    // MARK: streams

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
        statistics.streamBytesReceived += UInt64(result.count)
        return result
    }

    /// Tells the peer that no more of the stream is wanted.
    public mutating func stop(_ stream: StreamID, code: UInt64) throws(StreamError) {
        try session.streams.stop(stream, code: code)
    }

    // MARK: messages

    /// Queues a message for delivery within its deadline; its number.
    ///
    /// - Throws: `messageSize`, `messageQueueFull`.
    public mutating func sendMessage(
        _ bytes: UnsafeRawBufferPointer, options: MessageOptions, now: Instant
    ) throws(StreamError) -> UInt64 {
        let number = try session.messages.enqueue(bytes, options: options, now: now)
        statistics.messagesSent += 1
        return number
    }

    /// The next message that arrived whole.
    public mutating func receiveMessage() -> (number: UInt64, bytes: [UInt8])? {
        guard let message = session.receivedMessages.deliver() else { return nil }
        statistics.messagesReceived += 1
        return message
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
        if let event = events.popFirst() { return event }
        guard let event = session.streams.nextEvent() else { return nil }
        return switch event {
        case .readable(let stream): .streamReadable(stream)
        case .writable(let stream): .streamWritable(stream)
        case .delivered(let stream): .streamDelivered(stream)
        case .reset(let stream, let code): .streamReset(stream, code: code)
        case .stopped(let stream, let code): .streamStopped(stream, code: code)
        }
    }

    /// Hands the records since the last call to `body`, oldest first.
    ///
    /// After the end, with the last samples of all paths.
    public mutating func drainRecords(_ body: (borrowing TransportRecord) -> Void) {
        if isClosed, configuration.isRecording, !hasLastSamples {
            hasLastSamples = true
            let now = max(lastReceivedAt, max(lastEmptyPollAt, nextSampleAt - .milliseconds(1)))
            recordSamples(now: now)
        }
        for index in records.indices { body(records[index]) }
        records.removeAll(keepingCapacity: true)
    }
}
