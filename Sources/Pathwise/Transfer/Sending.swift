import PathTransport

/// What became of one item.
public struct TransferReport: Sendable {
    public var name: String
    public var bytes: UInt64
    /// SHA-256 of the bytes, the same on both sides.
    public var digest: [UInt8]

    /// The digest as text.
    public var hexDigest: String { hexadecimal(digest) }
}

func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { byte in
        let text = String(byte, radix: 16)
        return text.count == 1 ? "0" + text : text
    }.joined()
}

extension ClientSession {
    /// Bytes handed to the connection in one piece.
    private static let pieceLength = 1 << 18

    /// Sends one item on a stream of its own, and waits until the receiver has stored it.
    ///
    /// - Parameter progress: called with the number of bytes handed over since the last call.
    /// - Throws: `FileError` of this side; `SessionError` for all else.
    public func send(
        _ item: OutgoingItem, progress: @Sendable (Int) -> Void = { _ in }
    ) async throws -> TransferReport {
        let file: OpenFile? =
            item.isDirectory
            ? nil : item.source == "-" ? .standardInput : try OpenFile.reading(item.source)
        let stream = try openStream()
        let kind: TransferHeader.Kind =
            item.isDirectory ? .directory : item.source == "-" ? .pipe : .file
        let header = TransferHeader(
            kind: kind, name: item.name, size: item.size ?? TransferHeader.unknownSize,
            mode: item.mode)
        do {
            try await stream.write(header.encoded())
            let (bytes, digest) = try await pump(file, into: stream, progress: progress)
            try stream.finish()
            let result = try await TransferResult.read(from: stream)
            guard result.isStored else { throw SessionError.refusedByPeer(result.text) }
            guard result.digest == digest, result.bytes == bytes else {
                throw SessionError.digestMismatch(name: item.name)
            }
            return TransferReport(name: item.name, bytes: bytes, digest: digest)
        } catch {
            // A receiver that gave up says why on its half of the stream.
            if case SessionError.stream = error,
                let result = try? await TransferResult.read(from: stream), !result.isStored
            {
                throw SessionError.refusedByPeer(result.text)
            }
            stream.cancel(code: 1)
            throw error
        }
    }

    private func pump(
        _ file: OpenFile?, into stream: SessionStream, progress: @Sendable (Int) -> Void
    ) async throws -> (UInt64, [UInt8]) {
        var digest = try RunningDigest()
        var total: UInt64 = 0
        if let file {
            let buffer = UnsafeMutableRawBufferPointer.allocate(
                byteCount: ClientSession.pieceLength, alignment: 64)
            defer { buffer.deallocate() }
            while true {
                let count = try file.read(into: buffer)
                if count == 0 { break }
                let piece = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                try digest.update(piece)
                try await stream.write(piece)
                total += UInt64(count)
                progress(count)
            }
        }
        return (total, try digest.finish())
    }
}

extension SessionStream {
    /// Reads exactly `count` bytes; fewer at the end of the stream.
    func readExactly(_ count: Int) async throws(SessionError) -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, count), alignment: 1)
        defer { buffer.deallocate() }
        var filled = 0
        while filled < count {
            let read = try await read(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<count]))
            if read == 0 { break }
            filled += read
        }
        return Array(buffer[..<filled])
    }
}

extension TransferResult {
    static func read(from stream: SessionStream) async throws(SessionError) -> TransferResult {
        let fixed = try await stream.readExactly(fixedLength)
        guard let (parsed, length) = parse(fixed) else { throw .transfer("malformed answer") }
        var result = parsed
        let text = try await stream.readExactly(length)
        guard text.count == length else { throw .transfer("answer cut short") }
        result.text = String(decoding: text, as: UTF8.self)
        return result
    }
}
