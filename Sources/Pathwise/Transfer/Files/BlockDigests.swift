import PathTransport

/// Files in blocks: what was received before is proved block by block.
enum Blocks {
    /// Bytes of a block: the most that is sent twice when a transfer goes on.
    static let length: UInt64 = 1 << 20

    /// What of a file that has `size` bytes can be offered when all of it would have `whole`:
    /// whole blocks, or everything.
    static func usable(_ size: UInt64, of whole: UInt64) -> UInt64 {
        size >= whole ? whole : size - size % length
    }

    /// The ends of the blocks up to an offset.
    static func ends(upTo offset: UInt64) -> some Sequence<UInt64> {
        sequence(first: min(length, offset)) { end in
            end < offset ? min(end + length, offset) : nil
        }
    }
}

extension RunningDigest {
    /// Takes a range of a file.
    ///
    /// - Parameter buffer: room to read into.
    /// - Returns: how many bytes there were; fewer than the range when the file ends in it.
    mutating func update(
        _ file: OpenFile, _ range: Range<UInt64>, buffer: UnsafeMutableRawBufferPointer
    ) throws -> UInt64 {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let wanted = Int(min(UInt64(buffer.count), range.upperBound - offset))
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
            let count = try file.read(into: part, at: offset)
            try update(UnsafeRawBufferPointer(rebasing: part[..<count]))
            offset += UInt64(count)
            if count < wanted { break }
        }
        return offset - range.lowerBound
    }

    /// Takes so many zero bytes.
    mutating func update(zeros: UInt64) throws {
        var left = zeros
        while left > 0 {
            let count = Int(min(left, UInt64(Zeros.page.count)))
            try update(UnsafeRawBufferPointer(rebasing: Zeros.page[..<count]))
            left -= UInt64(count)
        }
    }

    /// The digest of the first `length` bytes of a file, to which the rest can be added.
    ///
    /// Gives way to other tasks between blocks. Nil when the file has fewer bytes.
    static func prefix(
        of file: OpenFile, length: UInt64, buffer: UnsafeMutableRawBufferPointer
    ) async throws -> RunningDigest? {
        var digest = try RunningDigest()
        var offset: UInt64 = 0
        while offset < length {
            let end = min(offset + Blocks.length, length)
            guard try digest.update(file, offset..<end, buffer: buffer) == end - offset else {
                return nil
            }
            offset = end
            await Task.yield()
        }
        return digest
    }
}

/// Zero bytes that are never written to.
private enum Zeros {
    nonisolated(unsafe) static let page: UnsafeRawBufferPointer = {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        return UnsafeRawBufferPointer(bytes)
    }()
}
