internal import Glibc
internal import PathTransport

/// Sends the content of a file, from the offset that the receiver has.
///
/// For one task.
struct FileContent: Sendable {
    let file: OpenFile
    let name: ItemName
    /// Size of the file when it was opened; no more is sent.
    let size: UInt64
    let stream: SessionStream
    let progress: @Sendable (Int) -> Void

    /// Proves the part that the receiver has, and sends the rest.
    ///
    /// - Returns: the digest of the whole file.
    func send(_ reader: TransferReader, resumedFrom: inout UInt64) async throws -> [UInt8] {
        let headLength = ContentFrame.dataHeadLength
        let room = UnsafeMutableRawBufferPointer.allocate(
            byteCount: headLength + TransferReader.largeCapacity, alignment: 64)
        defer { room.deallocate() }
        let content = UnsafeMutableRawBufferPointer(rebasing: room[headLength...])
        var digest = try RunningDigest()
        var hashed: UInt64 = 0
        var offset: UInt64?
        while offset == nil {
            switch try await reader.answer() {
            case .prove(let length):
                guard length > 0, length <= size else {
                    throw TransferError.malformed("a proof of \(length) bytes")
                }
                digest = try RunningDigest()
                hashed = 0
                for end in Blocks.ends(upTo: length) {
                    let count = try digest.update(file, hashed..<end, buffer: content)
                    guard count == end - hashed else { throw shrunk(to: hashed + count) }
                    hashed = end
                    try await stream.write(ContentFrame.proof(digest.current()).encoded())
                }
            case .start(let start):
                guard start <= hashed else {
                    throw TransferError.malformed("a start at \(start)")
                }
                if start != hashed {
                    guard
                        let prefix = try await RunningDigest.prefix(
                            of: file, length: start, buffer: content)
                    else { throw shrunk(to: start) }
                    digest = prefix
                }
                offset = start
            case .result(let result):
                throw TransferError.notStored(result.reason ?? .inputOutput, result.text)
            }
        }
        var position = offset ?? 0
        resumedFrom = position
        while position < size {
            let data = file.nextData(from: position, end: size) ?? size..<size
            try await sendHole(data.lowerBound - position, &digest)
            position = data.lowerBound
            while position < data.upperBound {
                let wanted = Int(min(UInt64(content.count), data.upperBound - position))
                let part = UnsafeMutableRawBufferPointer(rebasing: content[..<wanted])
                let count = try file.read(into: part, at: position)
                guard count == wanted else { throw shrunk(to: position + UInt64(count)) }
                try digest.update(UnsafeRawBufferPointer(part))
                room.copyBytes(from: ContentFrame.data(count).encoded())
                try await stream.write(
                    UnsafeRawBufferPointer(rebasing: room[..<(headLength + count)]))
                position += UInt64(count)
                progress(count)
            }
        }
        // A hole at the end reads as zeros even if the file was truncated there meanwhile.
        let now = UInt64(max(0, try file.status().st_size))
        guard now >= size else { throw shrunk(to: now) }
        let result = try digest.finish()
        try await stream.write(ContentFrame.end(result).encoded())
        return result
    }

    private func sendHole(_ length: UInt64, _ digest: inout RunningDigest) async throws {
        var left = length
        while left > 0 {
            let count = min(left, ContentFrame.holeLimit)
            var hashed: UInt64 = 0
            while hashed < count {
                let step = min(Blocks.length, count - hashed)
                try digest.update(zeros: step)
                hashed += step
                await Task.yield()
            }
            try await stream.write(ContentFrame.hole(count).encoded())
            progress(Int(count))
            left -= count
        }
    }

    private func shrunk(to length: UInt64) -> TransferError {
        .shrank(name: name, from: size, to: length)
    }
}
