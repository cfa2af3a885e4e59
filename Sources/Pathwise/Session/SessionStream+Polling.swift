internal import PathTransport
internal import Synchronization

/// A stream for an event loop: nothing here waits.
extension SessionStream {
    /// What happened to a stream.
    package enum News: Sendable {
        /// Bytes or the end arrived, a reset did, or there is room again.
        case changed
        /// The peer wants no more bytes: the sending half is over.
        case stopped
        /// The session has ended.
        case ended
    }

    /// What `readAvailable` found.
    package enum Available: Equatable, Sendable {
        /// So many bytes, at least one.
        case bytes(Int)
        case nothing
        case end
        /// The peer reset the stream, or the session has ended.
        case broken
    }

    /// Calls `handler` on the driver's thread, which it must not hold up, whenever something
    /// happens to the stream.
    ///
    /// Nobody may wait for the stream by `read`, `write` or `waitUntilDelivered` any more. What
    /// happened before is not told: try both directions once.
    package func observe(_ handler: @escaping @Sendable (News) -> Void) {
        hub.observe(id, handler)
    }

    /// Reads the bytes that have arrived.
    package func readAvailable(into buffer: UnsafeMutableRawBufferPointer) -> Available {
        if isAtEnd.load(ordering: .acquiring) { return .end }
        guard
            let result = try? link.with({ (connection, _) throws(StreamError) in
                try connection.read(id, into: buffer)
            })
        else { return .broken }
        if result.isFinished { isAtEnd.store(true, ordering: .releasing) }
        if result.count > 0 { return .bytes(result.count) }
        if result.isFinished { return .end }
        return hub.reason == nil ? .nothing : .broken
    }

    /// Writes as many bytes as the stream takes; if not all, news tells when it takes more.
    ///
    /// - Returns: how many bytes were taken, and how many it would take now; nil if the stream or
    ///   the session is over.
    package func writeAvailable(
        _ bytes: UnsafeRawBufferPointer
    ) -> (taken: Int, room: Int)? {
        guard hub.reason == nil else { return nil }
        return try? link.with { (connection, _) throws(StreamError) in
            let taken = try connection.write(id, bytes)
            return (taken, try connection.room(of: id))
        }
    }

    /// Frees the stream's memory if nothing is under way; the next bytes allocate it again.
    ///
    /// - Returns: whether it holds none any more.
    package func releaseIdleMemory() -> Bool {
        link.with { connection, _ in connection.releaseIdleMemory(of: id) }
    }

    /// How many bytes the stream takes now; if none, news tells when it takes more.
    ///
    /// - Returns: nil if the stream or the session is over.
    package func availableRoom() -> Int? {
        guard hub.reason == nil else { return nil }
        return try? link.with { (connection, _) throws(StreamError) in
            try connection.room(of: id)
        }
    }
}
