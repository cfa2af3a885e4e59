internal import PathNetwork
internal import PathTelemetry
internal import PathTransport

/// One item on its way, as the receiver talks with its sender.
///
/// For one task.
struct Delivery: Sendable {
    let header: TransferHeader
    let stream: SessionStream
    let reader: TransferReader
    let client: PublicKey
    let progress: @Sendable (Int) -> Void

    // MARK: answers

    /// Asks for the content from an offset on, unless it comes by itself.
    func start(at offset: UInt64) async throws {
        guard !header.isEager else { return }
        try await stream.write(TransferAnswer.start(offset).encoded())
    }

    /// Asks for the digests of blocks; `proof` has to be called for each of them.
    func askForProof(of length: UInt64) async throws {
        try await stream.write(TransferAnswer.prove(length).encoded())
    }

    // MARK: frames

    /// The sender's digest up to the end of the next block.
    func proof() async throws -> [UInt8] {
        guard case .proof(let digest) = try await frame() else {
            throw TransferError.malformed("another frame than a proof")
        }
        return digest
    }

    /// The end of an item of which nothing is sent; its digest.
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

    /// Takes the content to its end.
    ///
    /// - Returns: the digest of what the sink holds, which is the sender's.
    /// - Throws: `mismatch` when it is another one.
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

    /// The sender may not send more than it said, nor more than a file can hold.
    private func check(_ count: UInt64, _ sink: any ContentSink) throws {
        let size = header.kind == .pipe ? TransferHeader.largestSize : header.size
        guard sink.offset <= size, count <= size - sink.offset else {
            throw TransferError.malformed("more bytes than the item's size")
        }
    }
}
