internal import PathNetwork
internal import PathTelemetry
internal import PathTransport

/// The receiver's side of the transfer of one item.
///
/// For one task.
struct Delivery: Sendable {
    let header: TransferHeader
    let stream: SessionStream
    let reader: TransferReader
    let client: PublicKey
    let progress: @Sendable (Int) -> Void

    // MARK: answers

    /// Asks for the content from an offset, unless the item is eager.
    func start(at offset: UInt64) async throws {
        guard !header.isEager else { return }
        try await stream.write(TransferAnswer.start(offset).encoded())
    }

    /// Asks for the digests of blocks; `proof` has to be called for each of them.
    func askForProof(of length: UInt64) async throws {
        try await stream.write(TransferAnswer.prove(length).encoded())
    }

    // MARK: frames

    /// Reads the sender's digest up to the end of the next block.
    func proof() async throws -> [UInt8] {
        guard case .proof(let digest) = try await frame() else {
            throw TransferError.malformed("another frame than a proof")
        }
        return digest
    }

    /// Reads the end of an item without content; returns its digest.
    func end() async throws -> [UInt8] {
        guard case .end(let digest) = try await frame() else {
            throw TransferError.malformed("content where none belongs")
        }
        return digest
    }

    private func frame() async throws -> ContentFrame {
        let frame = try await reader.frame()
        if case .abort(let text) = frame { throw TransferError.givenUp(text) }
        return frame
    }

    /// Reads the content to its end.
    ///
    /// - Returns: the digest of the sink's content, which equals the sender's.
    /// - Throws: `mismatch` if the digests differ.
    func content(
        into sink: any ContentSink, _ item: inout ReceivedItem
    ) async throws -> [UInt8] {
        var last: Instant?
        while true {
            switch try await frame() {
            case .data(let count):
                try check(UInt64(count), sink)
                var left = count
                while left > 0 {
                    let bytes = try await reader.takeSome(left)
                    let now = MonotonicClock.now()
                    if let last { item.longestGap = max(item.longestGap, now - last) }
                    last = now
                    try await sink.append(bytes)
                    left -= bytes.count
                    progress(bytes.count)
                }
            case .hole(let count):
                try check(count, sink)
                try await sink.append(zeros: count)
                progress(Int(count))
            case .end(let theirs):
                guard header.kind == .pipe || sink.offset == header.size else {
                    throw TransferError.malformed(
                        "an end after \(sink.offset) of \(header.size) bytes")
                }
                let ours = try sink.currentDigest()
                guard ours == theirs else { throw TransferError.mismatch(name: header.name) }
                return ours
            case .proof, .abort: throw TransferError.malformed("a proof among the content")
            }
        }
    }

    /// The sender may not send more than the header says, nor more than a file can hold.
    private func check(_ count: UInt64, _ sink: any ContentSink) throws {
        let size = header.kind == .pipe ? TransferHeader.largestSize : header.size
        guard sink.offset <= size, count <= size - sink.offset else {
            throw TransferError.malformed("more bytes than the item's size")
        }
    }
}
