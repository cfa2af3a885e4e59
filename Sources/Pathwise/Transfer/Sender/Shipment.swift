internal import Glibc
internal import PathTransport

/// The sender's side of the transfer of one item.
///
/// For one task.
struct Shipment: Sendable {
    /// A file of at most this many bytes is sent without asking which part the receiver has.
    static let eagerLimit: UInt64 = 32_768
    /// The same for a file that is sent alone: a block, which is the least that can be resumed.
    static let loneEagerLimit = Blocks.length
    /// Code of RESET_STREAM for an item that failed or was cancelled.
    private static let resetCode: UInt64 = 1

    /// Time after which a wait for the first byte of a pipe is reported.
    private static let patience = Duration.seconds(1)

    /// The callbacks of `Session.send`.
    struct Listeners: Sendable {
        var progress: @Sendable (Int) -> Void
        var waiting: @Sendable (String) -> Void
        var report: @Sendable (SentItem) -> Void
    }

    let item: OutgoingItem
    let stream: SessionStream
    let listeners: Listeners

    /// Sends the item, and waits for the receiver's result.
    func send() async -> SentItem {
        var sent = SentItem(item)
        let reader = TransferReader(stream)
        var hasBegun = false
        do {
            try await deliver(&sent, reader, &hasBegun)
            try? await reader.finish()
        } catch {
            sent.outcome = .failed
            sent.error = await explanation(of: error, reader, hasBegun: hasBegun)
        }
        return sent
    }

    private func deliver(
        _ sent: inout SentItem, _ reader: TransferReader, _ hasBegun: inout Bool
    ) async throws {
        switch item.kind {
        case .directory, .link:
            let digest = try RunningDigest().finish()
            hasBegun = true
            try await stream.write(
                header(isEager: true, size: 0).encoded() + ContentFrame.end(digest).encoded())
            try stream.finish()
            try check(try await reader.result(), 0, nil, &sent)
        case .pipe: try await sendPipe(&sent, reader, &hasBegun)
        case .file:
            let file = try OpenFile.reading(item.source, followingLinks: item.isArgument)
            let status = try file.status()
            guard status.st_mode & S_IFMT == S_IFREG else {
                throw FileError(.open, file.name, code: EINVAL)
            }
            try await send(file, status, &sent, reader, &hasBegun)
        }
    }

    /// Looks for the better reason of a failure: a receiver that stops says why on its half of the
    /// stream.
    private func explanation(
        of error: any Error, _ reader: TransferReader, hasBegun: Bool
    ) async -> any Error {
        switch error {
        case SessionError.stream, SessionError.ended, TransferError.cutShort:
            if let result = try? await reader.result(), result.outcome == .failed {
                stream.cancel(code: Shipment.resetCode)
                return TransferError.notStored(result.reason ?? .inputOutput, result.text)
            }
        case TransferError.notStored: break
        default:
            // The failure is on this side, so the receiver is told.
            let text = ContentFrame.abort("\(error)").encoded()
            if hasBegun, (try? await stream.write(text)) != nil, (try? stream.finish()) != nil {
                try? await reader.finish()
                return error
            }
        }
        stream.cancel(code: Shipment.resetCode)
        return error
    }

    /// Whether a file is sent without asking which part the receiver has.
    static func isEager(size: UInt64, isOneOfSeveral: Bool) -> Bool {
        size <= (isOneOfSeveral ? eagerLimit : loneEagerLimit)
    }

    private func header(isEager: Bool, size: UInt64) -> TransferHeader {
        TransferHeader(
            kind: item.wireKind, isOneOfSeveral: item.isOneOfSeveral, isEager: isEager,
            mode: item.mode, modified: item.modified, size: size, name: item.name,
            target: item.target)
    }

    /// Checks the receiver's result.
    private func check(
        _ result: TransferResult, _ bytes: UInt64, _ digest: [UInt8]?, _ sent: inout SentItem
    ) throws {
        guard result.outcome != .failed else {
            throw TransferError.notStored(result.reason ?? .inputOutput, result.text)
        }
        guard digest == nil || result.digest == digest && result.bytes == bytes else {
            throw TransferError.mismatch(name: item.name)
        }
        sent.outcome = result.outcome == .stored ? .stored : .wasThere
        sent.bytes = bytes
        sent.digest = digest ?? []
        if !result.name.bytes.isEmpty { sent.storedName = result.name }
    }

    // MARK: files

    private func send(
        _ file: OpenFile, _ status: stat, _ sent: inout SentItem, _ reader: TransferReader,
        _ hasBegun: inout Bool
    ) async throws {
        let size = UInt64(max(0, status.st_size))
        sent.bytes = size
        var header = header(
            isEager: Shipment.isEager(size: size, isOneOfSeveral: item.isOneOfSeveral), size: size)
        header.mode = UInt16(status.st_mode & 0o777)
        header.modified = FileTime(status.st_mtim)
        let digest: [UInt8]
        if header.isEager {
            digest = try await sendSmall(file, header, &hasBegun)
        } else {
            hasBegun = true
            try await stream.write(header.encoded())
            let content = FileContent(
                file: file, name: item.name, size: size, stream: stream,
                progress: listeners.progress)
            digest = try await content.send(reader, resumedFrom: &sent.resumedFrom)
        }
        try stream.finish()
        let after = try file.status()
        if UInt64(max(0, after.st_size)) > size {
            sent.note = "it grew while it was sent; its first \(size) bytes were sent"
        } else if FileTime(after.st_mtim) != header.modified {
            sent.note = "it was changed while it was sent"
        }
        try check(try await reader.result(), size, digest, &sent)
    }

    /// Sends header, content and digest in one piece.
    private func sendSmall(
        _ file: OpenFile, _ header: TransferHeader, _ hasBegun: inout Bool
    ) async throws -> [UInt8] {
        let head = header.encoded()
        let size = Int(header.size)
        let dataHead = size > 0 ? ContentFrame.data(size).encoded() : []
        let total = head.count + dataHead.count + size + 1 + RunningDigest.length
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: total, alignment: 8)
        defer { room.deallocate() }
        let start = head.count + dataHead.count
        room.copyBytes(from: head + dataHead)
        let content = UnsafeMutableRawBufferPointer(rebasing: room[start..<(start + size)])
        let count = try file.read(into: content, at: 0)
        guard count == size else {
            throw TransferError.shrank(name: item.name, from: header.size, to: UInt64(count))
        }
        var running = try RunningDigest()
        try running.update(UnsafeRawBufferPointer(content))
        let digest = try running.finish()
        UnsafeMutableRawBufferPointer(rebasing: room[(start + size)...])
            .copyBytes(from: ContentFrame.end(digest).encoded())
        hasBegun = true
        try await stream.write(UnsafeRawBufferPointer(room))
        listeners.progress(size)
        return digest
    }

    // MARK: pipes

    private func sendPipe(
        _ sent: inout SentItem, _ reader: TransferReader, _ hasBegun: inout Bool
    ) async throws {
        let file =
            item.source == [UInt8(ascii: "-")]
            ? OpenFile.standardInput
            : try OpenFile.reading(item.source, followingLinks: true)
        hasBegun = true
        try await stream.write(
            header(isEager: false, size: TransferHeader.unknownSize).encoded())
        switch try await reader.answer() {
        case .start(0): break
        case .result(let result) where result.outcome == .failed:
            throw TransferError.notStored(result.reason ?? .inputOutput, result.text)
        case .start, .prove, .result: throw TransferError.malformed("an answer to a pipe")
        }
        let gate = try PipeGate()
        // The receiver may refuse, or the connection may end, while nobody writes to the pipe.
        let watch = Task {
            let result: Result<TransferResult, any Error>
            do {
                result = .success(try await reader.result())
            } catch {
                result = .failure(error)
            }
            gate.cancel()
            return result
        }
        var failure: (any Error)?
        var digest: [UInt8] = []
        do {
            digest = try await pump(file, gate, &sent.bytes)
        } catch {
            failure = error
            if error is FileError {
                try? await stream.write(ContentFrame.abort("\(error)").encoded())
            }
        }
        if failure == nil || failure is FileError { try? stream.finish() }
        let result = await watch.value
        if let failure = failure as? FileError { throw failure }
        if failure != nil, case .success(let said) = result, said.outcome != .failed {
            throw TransferError.malformed("an answer before the end")
        }
        try check(try result.get(), sent.bytes, digest, &sent)
    }

    private func pump(
        _ file: OpenFile, _ gate: PipeGate, _ total: inout UInt64
    ) async throws -> [UInt8] {
        var digest = try RunningDigest()
        let headLength = ContentFrame.dataHeadLength
        let room = UnsafeMutableRawBufferPointer.allocate(
            byteCount: headLength + TransferReader.largeCapacity, alignment: 64)
        defer { room.deallocate() }
        let content = UnsafeMutableRawBufferPointer(rebasing: room[headLength...])
        let reminder = Task { [waiting = listeners.waiting] in
            try await Task.sleep(for: Shipment.patience)
            waiting(file.name)
        }
        defer { reminder.cancel() }
        while true {
            guard await gate.wait(for: file, toWrite: false) else {
                throw TransferError.cutShort
            }
            guard let count = try file.readSome(into: content) else { continue }
            reminder.cancel()
            if count == 0 { break }
            let piece = UnsafeRawBufferPointer(rebasing: room[..<(headLength + count)])
            room.copyBytes(from: ContentFrame.data(count).encoded())
            try digest.update(UnsafeRawBufferPointer(rebasing: content[..<count]))
            try await stream.write(piece)
            total += UInt64(count)
            listeners.progress(count)
        }
        let result = try digest.finish()
        try await stream.write(ContentFrame.end(result).encoded())
        return result
    }
}

extension OutgoingItem {
    fileprivate var wireKind: TransferHeader.Kind {
        switch kind {
        case .file: .file
        case .pipe: .pipe
        case .directory: .directory
        case .link: .link
        }
    }
}
