internal import PathTransport

extension ClientSession {
    /// Items under way at once: small ones do not wait for each other's confirmation.
    private static let parallelItems = 128
    /// Of those, items that have more than some kilobytes, or a size that is not known.
    private static let parallelLargeItems = 16

    /// Sends everything that a feed finds; one item that fails does not keep the others.
    ///
    /// - Parameters:
    ///   - progress: called with the number of bytes handed over since the last call.
    ///   - waiting: called with the name of a pipe, or standard input, of which nothing came for a
    ///     second.
    ///   - report: called once for each item, in the order in which they end, from several tasks.
    /// - Throws: `SessionError` when the connection ends before all is done. Items that were not
    ///   reported were not begun: `ItemFeed.giveUp` names them.
    public func send(
        _ feed: ItemFeed, progress: @escaping @Sendable (Int) -> Void,
        waiting: @escaping @Sendable (String) -> Void = { _ in },
        report: @escaping @Sendable (SentItem) -> Void
    ) async throws {
        let large = SlotLimit(ClientSession.parallelLargeItems)
        let listeners = Shipment.Listeners(progress: progress, waiting: waiting, report: report)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<ClientSession.parallelItems {
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

    /// Sends the folders of which an item was the last.
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

    /// The next item with its stream, and its place in the order of large ones.
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

    /// Opens a stream as soon as the peer takes another one.
    private func opened<Opened>(_ open: () throws -> Opened) async throws -> Opened {
        while true {
            do {
                return try open()
            } catch SessionError.stream(.streamLimit) {
                try? await Task.sleep(for: .milliseconds(1))
            }
        }
    }

    private func send(
        _ item: OutgoingItem, on stream: SessionStream, _ listeners: Shipment.Listeners
    ) async throws {
        let sent = await Shipment(item: item, stream: stream, listeners: listeners).send()
        listeners.report(sent)
        // An item that failed for a reason of its own has said more than the end that followed.
        if let error = sent.error as? SessionError, case .ended = error { throw error }
    }
}
