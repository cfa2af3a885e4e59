import PathTransport

/// Files in blocks: bytes from an earlier transfer are verified block by block.
package enum Blocks {
    /// Bytes of a block, which is the most that a resumed transfer sends twice.
    package static let length: UInt64 = 1 << 20

    /// The length that can be offered of a part with `size` bytes, if the complete file has
    /// `whole`: complete blocks, or everything.
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
    /// Adds a range of a file.
    ///
    /// - Parameter buffer: room to read into.
    /// - Returns: the number of bytes read; fewer than the range if the file ends in it.
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

    /// Adds that many zero bytes.
    mutating func update(zeros: UInt64) throws {
        var left = zeros
        while left > 0 {
            let count = Int(min(left, UInt64(Zeros.page.count)))
            try update(UnsafeRawBufferPointer(rebasing: Zeros.page[..<count]))
            left -= UInt64(count)
        }
    }

    /// The digest of the first `length` bytes of a file; more bytes can be added.
    ///
    /// Yields to other tasks between blocks. Nil if the file has fewer bytes.
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

/// Zero bytes, which are never written.
private enum Zeros {
    nonisolated(unsafe) static let page: UnsafeRawBufferPointer = {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        return UnsafeRawBufferPointer(bytes)
    }()
}
