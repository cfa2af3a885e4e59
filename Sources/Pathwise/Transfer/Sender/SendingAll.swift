internal import PathTransport

extension Session {
    /// Items that are sent at once, so that small ones do not wait for each other's confirmation.
    private static let parallelItems = 128
    /// Items among them that are not eager, or have an unknown size.
    private static let parallelLargeItems = 16

    /// Sends everything that a feed finds; a failed item does not stop the others.
    ///
    /// - Parameters:
    ///   - feed: the items; it can be used once.
    ///   - progress: called with the number of bytes given to the connection since the last call.
    ///   - waiting: called with the name of a pipe, or standard input, from which no byte came for
    ///     a second.
    ///   - report: called once for each item, in the order in which they end, from several tasks.
    /// - Throws: `SessionError` if the connection ends before all items do. Items that were not
    ///   reported were not begun: `ItemFeed.giveUp` reports them.
    public func send(
        _ feed: ItemFeed, progress: @escaping @Sendable (Int) -> Void,
        waiting: @escaping @Sendable (String) -> Void = { _ in },
        report: @escaping @Sendable (SentItem) -> Void
    ) async throws {
        let large = SlotLimit(Session.parallelLargeItems)
        let listeners = Shipment.Listeners(progress: progress, waiting: waiting, report: report)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<Session.parallelItems {
                group.addTask {
                    while let next = try await self.next(of: feed, large, report) {
                        let isLarge = next.item.size.map { $0 > Shipment.eagerLimit } ?? true
                        if isLarge {
                            await large.enter(next.ticket)
                        } else {
                            large.pass(next.ticket)
                        }
                        do {
                            defer { if isLarge { large.leave() } }
                            try await self.send(next.item, on: next.stream, listeners)
                        } catch {
                            feed.abandon(next.item, error, report)
                            throw error
                        }
                        try await self.sendFolders(after: next.item, of: feed, listeners)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// Sends the folders that are complete after an item.
    private func sendFolders(
        after item: OutgoingItem, of feed: ItemFeed, _ listeners: Shipment.Listeners
    ) async throws {
        var ended = item
        while let folder = feed.finish(ended) {
            let stream: SessionStream
            do {
                stream = try await opened { try openStream() }
            } catch {
                listeners.report(SentItem(folder, failed: error))
                feed.abandon(folder, error, listeners.report)
                throw error
            }
            do {
                try await send(folder, on: stream, listeners)
            } catch {
                feed.abandon(folder, error, listeners.report)
                throw error
            }
            ended = folder
        }
    }

    /// The next item with its stream, and its ticket among the large ones.
    private func next(
        of feed: ItemFeed, _ large: SlotLimit, _ report: @Sendable (SentItem) -> Void
    ) async throws -> (item: OutgoingItem, stream: SessionStream, ticket: Int)? {
        while let (step, opened) = try await opened({
            try feed.next { (stream: try self.openStream(), ticket: large.ticket()) }
        }) {
            switch step {
            case .item(let item):
                if let opened { return (item, opened.stream, opened.ticket) }
            case .skipped(let name, let what): report(SentItem(name, skipped: what))
            case .failed(let name, let error): report(SentItem(name, failed: error))
            }
        }
        return nil
    }

    /// Opens a stream as soon as the peer allows another one.
    private func opened<Opened>(_ open: () throws -> Opened) async throws -> Opened {
        while true {
            do {
                return try open()
            } catch SessionError.stream(.streamLimit) {
                try await Task.sleep(for: .milliseconds(1))
            }
        }
    }

    private func send(
        _ item: OutgoingItem, on stream: SessionStream, _ listeners: Shipment.Listeners
    ) async throws {
        let sent = await Shipment(item: item, stream: stream, listeners: listeners).send()
        listeners.report(sent)
        // An item that failed for its own reason has already reported more than the end of the
        // connection.
        if let error = sent.error as? SessionError, case .ended = error { throw error }
    }
}
