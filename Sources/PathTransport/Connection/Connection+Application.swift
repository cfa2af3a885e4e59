public import PathLearning
public import PathTelemetry

extension Connection {
    /// Opens a stream; the peer hears of it with its first data.
    ///
    /// - Throws: `streamLimit` when the peer currently allows no more.
    public mutating func openStream(
        isUnidirectional: Bool = false
    ) throws(StreamError) -> StreamID {
        try session.streams.open(isUnidirectional: isUnidirectional)
    }

    /// The next stream that the peer opened.
    public mutating func acceptStream() -> StreamID? { session.streams.accept() }

    /// Takes as many bytes to send as fit; the event `streamWritable` reports new room.
    public mutating func write(
        _ stream: StreamID, _ bytes: UnsafeRawBufferPointer
    ) throws(StreamError) -> Int {
        guard closeReason == nil else { return 0 }
        return try session.streams.write(stream, bytes)
    }

    /// How many bytes `write` would take now; if none, `streamWritable` reports new room.
    public mutating func room(of stream: StreamID) throws(StreamError) -> Int {
        guard closeReason == nil else { return 0 }
        return try session.streams.room(of: stream)
    }

    /// Frees the memory of a stream in which nothing is under way; the next bytes allocate it again.
    ///
    /// - Returns: whether it holds none any more.
    public mutating func releaseIdleMemory(of stream: StreamID) -> Bool {
        session.streams.releaseIdleMemory(of: stream)
    }

    /// Sets how urgent the stream's data is; it is `bulk` at first.
    ///
    /// It concerns what this side sends, from the next packet on.
    public mutating func setPriority(
        _ priority: StreamPriority, of stream: StreamID
    ) throws(StreamError) {
        try session.streams.setPriority(priority, of: stream)
    }

    /// Ends the stream after the bytes written so far.
    public mutating func finish(_ stream: StreamID) throws(StreamError) {
        try session.streams.finish(stream)
    }

    /// Abandons the sending half of a stream.
    public mutating func reset(_ stream: StreamID, code: UInt64) throws(StreamError) {
        try session.streams.reset(stream, code: code)
    }

    /// Reads bytes in order; the stream is over when `isFinished`.
    public mutating func read(
        _ stream: StreamID, into buffer: UnsafeMutableRawBufferPointer
    ) throws(StreamError) -> (count: Int, isFinished: Bool) {
        let result = try session.streams.read(stream, into: buffer)
        news.statistics.streamBytesReceived += UInt64(result.count)
        return result
    }

    /// Tells the peer to stop sending on the stream.
    public mutating func stop(_ stream: StreamID, code: UInt64) throws(StreamError) {
        try session.streams.stop(stream, code: code)
    }

    /// Queues a message for delivery within its deadline and returns its number.
    ///
    /// - Throws: `messageSize`, `messageQueueFull`.
    public mutating func sendMessage(
        _ bytes: UnsafeRawBufferPointer, options: MessageOptions, now: Instant
    ) throws(StreamError) -> UInt64 {
        let number = try session.messages.enqueue(bytes, options: options, now: now)
        news.statistics.messagesSent += 1
        return number
    }

    /// The next message that arrived completely.
    public mutating func receiveMessage() -> (number: UInt64, bytes: [UInt8])? {
        guard let message = session.receivedMessages.deliver() else { return nil }
        news.statistics.messagesReceived += 1
        return message
    }

    /// Bytes of the message that `receiveMessage` would return; nil if none has arrived.
    public var nextMessageLength: Int? { session.receivedMessages.nextLength }

    /// Moves the next message that arrived completely into a buffer of `nextMessageLength` bytes or
    /// more, and returns its length.
    public mutating func receiveMessage(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        guard let message = session.receivedMessages.deliver(into: buffer) else { return nil }
        news.statistics.messagesReceived += 1
        return message.length
    }

    // MARK: another policy

    /// Switches to another policy or model between two decisions; an event reports it.
    ///
    /// The replacement was prepared beforehand, so nothing waits here. Packets in flight, queues
    /// and congestion control are not affected.
    public mutating func replacePolicy(_ replacement: PathSelector.Replacement, now: Instant) {
        let isOther = session.engine.replace(with: replacement)
        paths.boundPath = needs.boundPath
        news.events.append(
            .modelReplaced(hash: modelHash, policy: isOther ? policyName : nil, at: now))
    }

    /// Reports by an event why an offered model is not used.
    public mutating func refuseModel(_ reason: String, now: Instant) {
        news.events.append(.modelRefused(reason: reason, at: now))
    }

    // MARK: the end, events and records

    /// Sets the offset of UTC from the clock of `now`, for features on a UTC grid; to be called
    /// again when the wall clock is slewed or set.
    public mutating func setUTCOffset(_ offset: TimeDelta) {
        session.engine.setUTCOffset(offset)
    }

    /// Ends the connection and tells the peer.
    ///
    /// Unacknowledged data may be lost: wait for `streamDelivered` first.
    ///
    /// - Parameters:
    ///   - notice: why; of two calls the first one counts.
    ///   - now: the time.
    public mutating func close(_ notice: CloseNotice = .done, now: Instant) {
        if closeReason == nil { closing.notice = notice }
        finish(.local, now: now)
    }

    /// The next event.
    public mutating func pollEvent() -> ConnectionEvent? {
        // Some messages expire while they are polled, between two timers.
        session.reportMessages(&news)
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
    /// This is separate from `pollTimeout`, because sampling must not change a run: it is the same,
    /// packet for packet, whether or not it is recorded.
    public var sampleTimeout: Instant {
        isEstablished ? news.journal.sampleTimeout : .distantFuture
    }

    /// Records a sample of every path if one is due.
    public mutating func takeSamples(now: Instant) {
        if now >= sampleTimeout { news.journal.takeSamples(of: paths, now: now) }
    }

    /// Hands the records since the last call to `body`, oldest first.
    ///
    /// After the end this includes the last samples of all paths.
    public mutating func drainRecords(_ body: (borrowing TransportRecord) -> Void) {
        if isClosed {
            news.journal.takeLastSamples(of: paths, after: max(lastReceivedAt, lastEmptyPollAt))
        }
        news.journal.drain(body)
    }
}
