internal import Glibc
internal import PathNetwork
internal import PathTelemetry
public import PathTransport

/// How a receiver stores items.
public struct StoreOptions: Sendable {
    public var place: ReceivePlace
    /// What happens to an item whose name exists.
    public var onConflict = ConflictRule.rename
    /// Whether an item counts as stored only when it would survive a power failure.
    public var synchronizes = true
    /// Makes the names of unfinished items unguessable; the same secret finds them again.
    public var secret: [UInt8]

    public init(place: ReceivePlace, secret: [UInt8]) {
        self.place = place
        self.secret = secret
    }
}

/// Stores items, each under a temporary name until it is complete.
///
/// *Any thread.* docs/protocol.md, "Transfers".
public final class ItemStore: Sendable {
    /// Code of STOP_SENDING for an item that is no longer wanted.
    static let stopCode: UInt64 = 1

    let options: StoreOptions
    private let destination: Destination?
    let committer: Committer
    /// Lets one item at a time write to standard output, or to a file that the user named.
    private let gate = ItemGate()
    let writers = PartWriters()
    private let output: PipeGate
    private let lost = Guarded(false)

    /// - Throws: `FileError` if the system is out of file descriptors.
    public init(_ options: StoreOptions) throws(FileError) {
        self.options = options
        output = try PipeGate()
        let destination: Destination? =
            switch options.place {
            case .standardOutput: nil
            case .path(let path, let isFolder): Destination(path: path, isFolder: isFolder)
            }
        self.destination = destination
        committer = Committer(
            rule: options.onConflict, synchronizes: options.synchronizes,
            changed: { destination?.takeChanged() ?? [] })
    }

    /// Whether standard output has a partial item, or no reader any more, so that further output
    /// would be wrong.
    public var isOutputLost: Bool { lost.withLock { $0 } }

    /// Ends the wait for a reader of standard output.
    public func cancel() { output.cancel() }

    /// Takes an item's turn on standard output; `receive` has to follow.
    public func nextTurn() -> Int { destination == nil ? gate.enter() : 0 }

    /// Receives one item from its stream and answers the sender.
    ///
    /// - Parameters:
    ///   - stream: of the item alone.
    ///   - prefix: bytes of the stream that were read already, to find out what it is.
    ///   - client: the key of the sender.
    ///   - turn: from `nextTurn`, in the order of the streams.
    ///   - progress: called with the number of bytes stored since the last call.
    /// - Returns: its outcome; nil if the sender reset the stream before the header was complete.
    public func receive(
        _ stream: SessionStream, prefix: [UInt8] = [], from client: PublicKey, turn: Int,
        progress: @escaping @Sendable (Int) -> Void = { _ in }
    ) async -> ReceivedItem? {
        var item = ReceivedItem(client: client)
        let reader = TransferReader(stream, prefix: prefix)
        let start = MonotonicClock.now()
        var isFormer = false
        do {
            if destination == nil { await gate.wait(turn) }
            defer { if destination == nil { gate.leave(turn) } }
            guard let header = try await reader.header() else {
                stream.cancel(code: ItemStore.stopCode)
                return nil
            }
            item.name = header.name
            item.kind = ReceivedItem.Kind(header.kind)
            if !header.isEager || header.size > Shipment.eagerLimit { reader.enlarge() }
            let delivery = Delivery(
                header: header, stream: stream, reader: reader, client: client,
                progress: progress)
            try await store(delivery, &item)
        } catch {
            item.outcome = .failed
            item.reason = ItemStore.reason(error)
            item.problem = "\(error)" + (item.hasPart ? "; \(ItemStore.partHint)" : "")
            if case TransferError.otherVersion = error { isFormer = true }
        }
        item.duration = MonotonicClock.now() - start
        let isAnswered = await ItemStore.answer(item, stream, isFormer: isFormer)
        if item.outcome == .failed {
            // A caller that then ends the connection must not do so before the reason is delivered.
            if isAnswered { try? await stream.waitUntilDelivered() }
        } else {
            try? await reader.finish()
        }
        return item
    }

    /// What both sides are told if a part was kept.
    private static let partHint =
        "what has arrived is kept, and sending the same file again continues after it"

    /// Refuses an item without reading its content.
    ///
    /// - Parameters:
    ///   - stream: of the item.
    ///   - prefix: bytes of the stream that were read already.
    ///   - client: the key of the sender.
    ///   - reason: the kind of the refusal.
    ///   - text: what the sender is told.
    public static func refuse(
        _ stream: SessionStream, prefix: [UInt8] = [], from client: PublicKey,
        reason: TransferReason, _ text: String
    ) async -> ReceivedItem? {
        var item = ReceivedItem(client: client)
        guard let header = try? await TransferReader(stream, prefix: prefix).header() else {
            stream.cancel(code: ItemStore.stopCode)
            return nil
        }
        item.name = header.name
        item.kind = ReceivedItem.Kind(header.kind)
        item.reason = reason
        item.problem = text
        _ = await answer(item, stream, isFormer: false)
        return item
    }

    /// Sends the result of an item; a sender that continues to send a failed one is stopped.
    ///
    /// - Returns: false if the stream is closed for answers.
    private static func answer(
        _ item: ReceivedItem, _ stream: SessionStream, isFormer: Bool
    ) async -> Bool {
        let outcome: TransferResult.Outcome =
            switch item.outcome {
            case .stored: .stored
            case .wasThere: .wasThere
            case .failed: .failed
            }
        let result = TransferResult(
            outcome: outcome, reason: item.reason, bytes: item.bytes, digest: item.digest,
            name: item.storedName ?? ItemName(bytes: []), text: item.problem ?? "")
        let bytes =
            isFormer ? ItemStore.formerRefusal : TransferAnswer.result(result).encoded()
        if item.outcome == .failed { stream.stopReading(code: ItemStore.stopCode) }
        do {
            try await stream.write(bytes)
            try stream.finish()
            return true
        } catch {
            return false
        }
    }

    /// An answer that a sender of version 1 understands: not stored, no bytes, and the reason.
    private static let formerRefusal: [UInt8] = {
        let text = Array("this receiver speaks another version; update the sender".utf8)
        var bytes: [UInt8] = [1]
        bytes += [UInt8](repeating: 0, count: 40)
        bytes.append(number: UInt64(text.count), width: 2)
        return bytes + text
    }()

    private static func reason(_ error: any Error) -> TransferReason {
        switch error {
        case let error as FileError: error.reason
        case let error as TransferError:
            switch error {
            case .forbidden(let reason, _), .notStored(let reason, _): reason
            case .mismatch: .mismatch
            case .shrank, .givenUp: .givenUp
            case .takenOver: .temporary
            case .cutShort: .cutShort
            case .malformed, .otherVersion: .malformed
            }
        case SessionError.ended, SessionError.stream: .cutShort
        default: .inputOutput
        }
    }

    // MARK: kinds of items

    private func store(_ delivery: Delivery, _ item: inout ReceivedItem) async throws {
        guard let destination else {
            try await write(delivery, &item)
            return
        }
        switch delivery.header.kind {
        case .directory: try await makeFolder(delivery, destination, &item)
        case .link: try await makeLink(delivery, destination, &item)
        case .file, .pipe:
            let spot = try destination.spot(for: delivery.header)
            guard spot.isSingle else {
                try await storeFile(delivery, spot, &item)
                return
            }
            let turn = gate.enter()
            defer { gate.leave(turn) }
            await gate.wait(turn)
            try await storeFile(delivery, spot, &item)
        }
    }

    private func makeFolder(
        _ delivery: Delivery, _ destination: Destination, _ item: inout ReceivedItem
    ) async throws {
        try await delivery.start(at: 0)
        item.digest = try await delivery.end()
        let (folder, isNew) = try destination.folder(for: delivery.header)
        item.path = folder.path
        try folder.setAttributes(
            mode: delivery.header.mode, modified: delivery.header.modified)
        _ = try await committer.commit(Committer.Item(folder: folder))
        item.outcome = isNew ? .stored : .wasThere
    }

    private func makeLink(
        _ delivery: Delivery, _ destination: Destination, _ item: inout ReceivedItem
    ) async throws {
        let header = delivery.header
        try await delivery.start(at: 0)
        item.digest = try await delivery.end()
        let spot = try destination.spot(for: header)
        let folder = spot.folder
        item.path = folder.shownPath(of: spot.name)
        let twin = try firstOfItsNames(in: spot) { name, _ in
            folder.target(ofLink: name) == header.target ? name : nil
        }
        if let twin {
            item.becomeTwin(twin, in: spot)
            return
        }
        if options.onConflict != .rename { try Committer.checkNoFolder(spot.name, in: folder) }
        let temporary = TemporaryName.unguessable()
        try folder.createLink(temporary, to: header.target, modified: header.modified)
        do {
            let name = try await committer.commit(
                Committer.Item(folder: folder, rename: (temporary, spot.name)))
            item.become(name ?? spot.name, in: spot)
        } catch {
            folder.remove(temporary)
            throw error
        }
    }

    private func write(_ delivery: Delivery, _ item: inout ReceivedItem) async throws {
        item.path = "-"
        switch delivery.header.kind {
        case .directory:
            try await delivery.start(at: 0)
            item.digest = try await delivery.end()
            item.outcome = .stored
            return
        case .link:
            throw TransferError.forbidden(
                .cannotCreate,
                "a link cannot be written to standard output; "
                    + "receive into a folder")
        case .file, .pipe: break
        }
        guard !isOutputLost else {
            throw TransferError.forbidden(
                .temporary,
                "standard output holds a part of another item that broke off; "
                    + "start the receiver again")
        }
        let sink = try StandardOutputSink(gate: output)
        do {
            try await delivery.start(at: 0)
            item.digest = try await delivery.content(into: sink, &item)
        } catch {
            item.bytes = sink.offset
            if sink.offset > 0 || error is FileError { lost.withLock { $0 = true } }
            throw error
        }
        item.bytes = sink.offset
        item.outcome = .stored
    }
}
