internal import PathTelemetry
public import PathTransport
internal import Synchronization

/// One stream of a session, for one reading and one writing task.
public final class SessionStream: Sendable {
    public let id: StreamID
    let hub: EventHub
    let link: SessionLink
    /// Whether everything has been read, so that further reads return zero bytes.
    let isAtEnd = Atomic<Bool>(false)
    private let isReadingStopped = Atomic<Bool>(false)

    init(id: StreamID, hub: EventHub, link: SessionLink) {
        self.id = id
        self.hub = hub
        self.link = link
        hub.hold(id)
    }

    /// A stream without an owner has no reader, so the connection keeps nothing of it.
    ///
    /// The peer need not send the rest. Written bytes are still sent.
    deinit {
        hub.forget(id)
        guard !isAtEnd.load(ordering: .acquiring) else { return }
        try? with { (connection) throws(StreamError) in try connection.stop(id, code: 0) }
    }

    private func with<Result>(
        _ body: (inout Connection) throws(StreamError) -> Result
    ) throws(SessionError) -> Result {
        do throws(StreamError) {
            return try link.with { (connection, _) throws(StreamError) in try body(&connection) }
        } catch {
            if let reason = hub.reason { throw .ended(reason) }
            throw .stream(error)
        }
    }

    /// Writes all bytes; waits while the peer or the paths are slower.
    ///
    /// - Throws: `SessionError`, or `CancellationError` if a part was not written yet.
    public func write(_ bytes: UnsafeRawBufferPointer) async throws {
        var offset = 0
        while offset < bytes.count {
            if let reason = hub.reason { throw SessionError.ended(reason) }
            let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
            offset += try with { (connection) throws(StreamError) in
                try connection.write(id, rest)
            }
            if offset < bytes.count {
                try Task.checkCancellation()
                await hub.wait(for: .writable(id))
            }
        }
    }

    /// Writes all bytes; waits while the peer or the paths are slower.
    ///
    /// - Throws: `SessionError`, or `CancellationError` if a part was not written yet.
    public func write(_ bytes: [UInt8]) async throws {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: bytes)
        try await write(UnsafeRawBufferPointer(copy))
    }

    /// Sets how urgent this side's bytes are compared with those of other streams; it is `bulk` at
    /// first.
    public func setPriority(_ priority: StreamPriority) {
        try? with { (connection) throws(StreamError) in
            try connection.setPriority(priority, of: id)
        }
    }

    /// Ends the stream after the written bytes.
    public func finish() throws(SessionError) {
        try with { (connection) throws(StreamError) in try connection.finish(id) }
    }

    /// Reads the bytes that have arrived, at least one; zero at the end of the stream, from then
    /// on.
    ///
    /// - Throws: `SessionError`, or `CancellationError` if nothing has arrived.
    public func read(into buffer: UnsafeMutableRawBufferPointer) async throws -> Int {
        while !isAtEnd.load(ordering: .acquiring) {
            let result = try? with { (connection) throws(StreamError) in
                try connection.read(id, into: buffer)
            }
            if let result {
                if result.isFinished { isAtEnd.store(true, ordering: .releasing) }
                if result.count > 0 { return result.count }
                if result.isFinished { return 0 }
            }
            if let reason = hub.reason { throw SessionError.ended(reason) }
            let isStopped = isReadingStopped.load(ordering: .acquiring)
            if isStopped || result == nil { throw SessionError.stream(.unknownStream(id)) }
            try Task.checkCancellation()
            await hub.wait(for: .readable(id))
        }
        return 0
    }

    /// Reads the bytes that have arrived, at least one and at most `count`; none at the end of the
    /// stream.
    ///
    /// - Throws: `SessionError`, or `CancellationError` if nothing has arrived.
    public func read(atMost count: Int = 65_536) async throws -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(1, count), alignment: 1)
        defer { buffer.deallocate() }
        return Array(buffer.prefix(try await read(into: buffer)))
    }

    /// Returns when the peer has all bytes and the end of the stream, or asks to stop.
    ///
    /// - Throws: `SessionError.ended` if the session ended with an error, or `CancellationError`.
    public func waitUntilDelivered() async throws {
        await hub.wait(for: .delivered(id))
        if let reason = hub.reason {
            guard reason.isOrderly else { throw SessionError.ended(reason) }
            return
        }
        try Task.checkCancellation()
    }

    /// Asks the peer to stop sending; this side may continue to write.
    ///
    /// A task that reads the stream gets an error.
    func stopReading(code: UInt64) {
        try? with { (connection) throws(StreamError) in try connection.stop(id, code: code) }
        isReadingStopped.store(true, ordering: .releasing)
        hub.wake(.readable(id))
    }

    /// Cancels both halves.
    public func cancel(code: UInt64) {
        try? with { (connection) throws(StreamError) in try connection.reset(id, code: code) }
        stopReading(code: code)
    }
}
