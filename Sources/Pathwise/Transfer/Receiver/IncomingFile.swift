internal import Dispatch
internal import Glibc
internal import PathTransport

/// A destination of the content of an item.
protocol ContentSink: AnyObject, Sendable {
    /// Bytes of the item so far.
    var offset: UInt64 { get }
    func append(_ bytes: UnsafeRawBufferPointer) async throws
    func append(zeros: UInt64) async throws
    /// SHA-256 of these bytes.
    func currentDigest() throws -> [UInt8]
}

/// An unfinished file, under a temporary name in its destination folder.
///
/// The name is derived from a secret of the receiver, the client's key and the item's name, so that
/// nobody can guess it, and a resumed transfer finds the part. The file is locked while it is
/// written. The hash is of bytes read back from the file.
///
/// For one task at a time.
final class IncomingFile: ContentSink, @unchecked Sendable {
    /// Bytes after which the system is asked to start writing them to the disk.
    private static let writebackInterval: UInt64 = 8 << 20

    let folder: Folder
    let name: [UInt8]
    let file: OpenFile
    /// Bytes that an earlier transfer left.
    let found: UInt64
    private(set) var offset: UInt64 = 0
    private var digest: RunningDigest
    private let scratch: UnsafeMutableRawBufferPointer
    private var writtenBack: UInt64 = 0
    /// The length that the file has on the disk.
    private var length: UInt64

    private init(
        folder: Folder, name: [UInt8], file: OpenFile, found: UInt64, pieceLength: Int
    ) throws {
        self.folder = folder
        self.name = name
        self.file = file
        self.found = found
        length = found
        digest = try RunningDigest()
        scratch = .allocate(byteCount: pieceLength, alignment: 64)
    }

    deinit { scratch.deallocate() }

    /// Opens the file of an earlier transfer of the same item, or creates one.
    ///
    /// - Parameters:
    ///   - final: its final name, for errors.
    ///   - part: the temporary name of this client's item.
    ///   - pieceLength: most bytes that one call appends.
    static func open(
        in folder: Folder, for final: [UInt8], part: [UInt8], pieceLength: Int
    ) throws -> IncomingFile {
        if let (file, found) = try claim(part, for: final, in: folder) {
            return try IncomingFile(
                folder: folder, name: part, file: file, found: found,
                pieceLength: pieceLength)
        }
        // Another transfer of the same item is running, or something else has the name.
        let other = TemporaryName.unguessable()
        let file = try folder.createFile(other, shownAs: final)
        _ = flock(file.descriptor, LOCK_EX | LOCK_NB)
        return try IncomingFile(
            folder: folder, name: other, file: file, found: 0, pieceLength: pieceLength)
    }

    /// The file of a name, locked for this transfer and created if missing; nil if it cannot be
    /// locked.
    private static func claim(
        _ name: [UInt8], for final: [UInt8], in folder: Folder
    ) throws(FileError) -> (file: OpenFile, found: UInt64)? {
        var file: OpenFile
        do throws(FileError) {
            file = try folder.createFile(name, shownAs: final)
        } catch  where error.code == EEXIST {
            guard let old = try? folder.openFile(name, writing: true, shownAs: final) else {
                return nil
            }
            file = old
        }
        guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 else { return nil }
        // It may have been renamed or removed before it was locked.
        let status = try file.status()
        guard status.st_mode & S_IFMT == S_IFREG, status.st_nlink == 1,
            status.st_uid == geteuid(), let there = try folder.status(of: name),
            there.st_ino == status.st_ino, there.st_dev == status.st_dev
        else { return nil }
        return (file, UInt64(max(0, status.st_size)))
    }

    // MARK: the part of an earlier transfer

    /// How many of the first `length` bytes the sender proves to have.
    ///
    /// - Parameter proof: returns the sender's digest up to the end of the next block.
    func verify(
        _ length: UInt64, against proof: () async throws -> [UInt8]
    ) async throws -> UInt64 {
        var matched: UInt64 = 0
        var matches = true
        for end in Blocks.ends(upTo: length) {
            let theirs = try await proof()
            guard matches else { continue }
            let range = matched..<end
            matches =
                try digest.update(file, range, buffer: scratch) == end - matched
                && digest.current() == theirs
            if matches { matched = end }
        }
        return matched
    }

    /// Resumes after the first `length` bytes, which were verified; the rest is discarded.
    ///
    /// - Parameter isDigestCurrent: whether all offered bytes were verified.
    func resume(at length: UInt64, isDigestCurrent: Bool) async throws {
        if length == 0 {
            digest = try RunningDigest()
        } else if !isDigestCurrent {
            guard
                let prefix = try await RunningDigest.prefix(
                    of: file, length: length, buffer: scratch)
            else { throw FileError(.read, file.name, code: EIO) }
            digest = prefix
        }
        try cut(to: length)
        offset = length
        writtenBack = length
    }

    /// Truncates or extends the file to a length.
    ///
    /// If a file was truncated to zero, ext4 assumes that its content is being replaced and starts
    /// to write it to the disk when it is closed: one request for each file, which delays small
    /// files that need no synchronisation (`auto_da_alloc` in ext4(5)).
    private func cut(to length: UInt64) throws(FileError) {
        guard length != self.length else { return }
        try file.truncate(to: length)
        self.length = length
    }

    // MARK: content

    func append(_ bytes: UnsafeRawBufferPointer) async throws {
        try file.write(bytes, at: offset)
        let back = UnsafeMutableRawBufferPointer(rebasing: scratch[..<bytes.count])
        guard try file.read(into: back, at: offset) == bytes.count else {
            throw FileError(.read, file.name, code: EIO)
        }
        try digest.update(UnsafeRawBufferPointer(back))
        offset += UInt64(bytes.count)
        length = max(length, offset)
        if offset - writtenBack >= IncomingFile.writebackInterval {
            file.startWriteback(from: writtenBack, length: offset - writtenBack)
            writtenBack = offset
        }
    }

    func append(zeros: UInt64) async throws {
        var left = zeros
        while left > 0 {
            let count = min(left, Blocks.length)
            try digest.update(zeros: count)
            left -= count
            offset += count
            await Task.yield()
        }
    }

    func currentDigest() throws -> [UInt8] { try digest.current() }

    /// Sets the file's length, which a hole at its end does not.
    func complete() throws { try cut(to: offset) }

    /// Waits until its bytes are on the disk, without blocking a thread that runs tasks.
    func synchronize() async throws {
        let result: Result<Void, FileError> = await withCheckedContinuation { continuation in
            DispatchQueue.global().async { [file] in
                continuation.resume(
                    returning: Result { () throws(FileError) in try file.synchronize() })
            }
        }
        try result.get()
    }

    /// Leaves the file to another transfer.
    func unlock() { _ = flock(file.descriptor, LOCK_UN) }

    /// Removes the file.
    func discard() { folder.remove(name) }
}
