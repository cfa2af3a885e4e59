import Foundation
import Testing

@testable import Pathwise

@Suite struct IncomingFileTests {
    /// Whether the file system delays block allocation, as ext4 does; determined with a file that
    /// was only written.
    private static let delaysAllocation: Bool = {
        let path = NSTemporaryDirectory() + "pathwise-delayed-\(getpid())"
        defer { unlink(path) }
        return FileManager.default.createFile(atPath: path, contents: Data(count: 20_000))
            && extents(of: path).map { $0.count > 0 && $0.delayed == $0.count } ?? false
    }()

    /// Extents of a file, and how many of them have no blocks on disk yet; ioctl_fiemap(2).
    private static func extents(of path: String) -> (count: Int, delayed: Int)? {
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        // The head is 32 bytes, an extent 56: the length at 8, the room at 24; flags at 40.
        var bytes = [UInt8](repeating: 0, count: 32 + 8 * 56)
        let result = bytes.withUnsafeMutableBytes { buffer in
            buffer.storeBytes(of: UInt64.max, toByteOffset: 8, as: UInt64.self)
            buffer.storeBytes(of: 8, toByteOffset: 24, as: UInt32.self)
            return buffer.baseAddress.map { ioctl(descriptor, 0xc020_660b, $0) } ?? -1
        }
        guard result == 0 else { return nil }
        return bytes.withUnsafeBytes { buffer in
            let count = Int(buffer.load(fromByteOffset: 20, as: UInt32.self))
            let isDelayed: (Int) -> Bool = {
                buffer.load(fromByteOffset: 32 + 56 * $0 + 40, as: UInt32.self) & 4 != 0
            }
            return (count, (0..<count).count(where: isDelayed))
        }
    }

    /// Closing a file that need not be synced does not wait for the disk: the file system has not
    /// even allocated its blocks.
    @Test(.enabled(if: delaysAllocation, "the file system of the temporary folder writes at once"))
    func aNewFileIsNotWrittenToTheDiskWhenItIsClosed() async throws {
        let place = NSTemporaryDirectory() + "pathwise-incoming-\(getpid())"
        try FileManager.default.createDirectory(
            atPath: place, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: place) }
        let folder = try Folder(at: Array(place.utf8))
        let content = [UInt8](repeating: 7, count: 20_000)
        var name: [UInt8] = []
        do {
            let file = try IncomingFile.open(
                in: folder, for: Array("item".utf8), part: Array("part".utf8),
                pieceLength: content.count)
            try await file.resume(at: 0, isDigestCurrent: false)
            try await content.withUnsafeBytesAsync { try await file.append($0) }
            try file.complete()
            name = file.name
        }
        let path = place + "/" + String(decoding: name, as: UTF8.self)
        let found = try #require(IncomingFileTests.extents(of: path))
        #expect(found.count > 0 && found.delayed == found.count)
        #expect(FileManager.default.contents(atPath: path) == Data(content))
    }

    /// A file that ends with a hole has its whole length, and one that was longer loses the rest.
    @Test func aFileHasTheLengthOfTheItem() async throws {
        let place = NSTemporaryDirectory() + "pathwise-length-\(getpid())"
        try FileManager.default.createDirectory(
            atPath: place, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: place) }
        let folder = try Folder(at: Array(place.utf8))
        for (found, written, hole) in [
            (0, 5000, 3000), (9000, 5000, 0), (9000, 5000, 3000), (9000, 0, 0), (0, 0, 70_000),
        ] {
            let part = Array("part".utf8)
            let item = Array("item".utf8)
            var path = ""
            do {
                let old = try IncomingFile.open(
                    in: folder, for: item, part: part, pieceLength: 10_000)
                path = place + "/" + String(decoding: old.name, as: UTF8.self)
                let bytes = [UInt8](repeating: 1, count: found)
                try await old.resume(at: 0, isDigestCurrent: false)
                if found > 0 {
                    try await bytes.withUnsafeBytesAsync { try await old.append($0) }
                }
                try old.complete()
            }
            do {
                let file = try IncomingFile.open(
                    in: folder, for: item, part: part, pieceLength: 10_000)
                #expect(file.found == UInt64(found))
                try await file.resume(at: 0, isDigestCurrent: false)
                let bytes = [UInt8](repeating: 7, count: written)
                if written > 0 {
                    try await bytes.withUnsafeBytesAsync { try await file.append($0) }
                }
                try await file.append(zeros: UInt64(hole))
                try file.complete()
            }
            let expected =
                [UInt8](repeating: 7, count: written) + [UInt8](repeating: 0, count: hole)
            #expect(FileManager.default.contents(atPath: path) == Data(expected))
            unlink(path)
        }
    }
}

extension Array where Element == UInt8 {
    /// The bytes in memory of their own, for a call that waits.
    fileprivate func withUnsafeBytesAsync(
        _ body: (UnsafeRawBufferPointer) async throws -> Void
    ) async throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
        defer { buffer.deallocate() }
        buffer.copyBytes(from: self)
        try await body(UnsafeRawBufferPointer(buffer))
    }
}
