internal import CLinuxFile
internal import Glibc

/// An open file, or one of the standard streams; every failure is a typed error.
final class OpenFile: Sendable {
    /// Its name in errors; safe to show.
    let name: String
    let descriptor: Int32
    private let closes: Bool

    init(name: String, owning descriptor: Int32) {
        self.name = name
        self.descriptor = descriptor
        closes = true
    }

    private init(standard descriptor: Int32, name: String) {
        self.name = name
        self.descriptor = descriptor
        closes = false
    }

    deinit { if closes { Glibc.close(descriptor) } }

    static let standardInput = OpenFile(standard: STDIN_FILENO, name: "standard input")
    static let standardOutput = OpenFile(standard: STDOUT_FILENO, name: "standard output")

    /// Opens a file, or a pipe without waiting for its writer.
    static func reading(
        _ path: [UInt8], followingLinks: Bool
    ) throws(FileError) -> OpenFile {
        let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
        let descriptor = withPath(path) {
            Glibc.open($0, followingLinks ? flags : flags | O_NOFOLLOW)
        }
        guard descriptor >= 0 else { throw FileError(.open, shown(path)) }
        return OpenFile(name: shown(path), owning: descriptor)
    }

    // MARK: regular files

    func status() throws(FileError) -> stat {
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { throw FileError(.open, name) }
        return information
    }

    /// Fills the buffer from an offset.
    ///
    /// - Returns: the number of bytes read; fewer than requested at the end of the file.
    func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) throws(FileError) -> Int {
        try all(buffer.count, .read) { done in
            pread(
                descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done,
                off_t(clamping: offset &+ UInt64(done)))
        }
    }

    /// Writes all bytes at an offset.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(FileError) {
        let count = try all(bytes.count, .write) { done in
            pwrite(
                descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done,
                off_t(clamping: offset &+ UInt64(done)))
        }
        guard count == bytes.count else { throw FileError(.write, name, code: ENOSPC) }
    }

    /// Repeats the system call until all bytes are transferred, or it returns no more.
    ///
    /// - Parameter step: continues after that many bytes, and returns the result of the system
    ///   call.
    /// - Returns: the number of bytes transferred.
    private func all(
        _ count: Int, _ operation: FileError.Operation, step: (Int) -> Int
    ) throws(FileError) -> Int {
        var done = 0
        while done < count {
            let moved = step(done)
            if moved > 0 {
                done += moved
            } else if moved == 0 {
                break
            } else if errno != EINTR {
                throw FileError(operation, name)
            }
        }
        return done
    }

    func truncate(to length: UInt64) throws(FileError) {
        guard ftruncate(descriptor, off_t(clamping: length)) == 0 else {
            throw FileError(.write, name)
        }
    }

    /// Starts writing a range to the disk, so that the final wait is shorter.
    func startWriteback(from offset: UInt64, length: UInt64) {
        _ = clf_start_writeback(descriptor, Int64(clamping: offset), Int64(clamping: length))
    }

    /// Waits until the bytes are on the disk.
    func synchronize() throws(FileError) {
        guard fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS else {
            throw FileError(.synchronize, name)
        }
    }

    /// Sets the permissions, and the modification time if one is given.
    func setAttributes(mode: UInt16, modified: FileTime?) throws(FileError) {
        guard fchmod(descriptor, mode_t(mode)) == 0 else { throw FileError(.write, name) }
        guard let time = modified?.specification else { return }
        let result = withUnsafePointer(to: (time, time)) {
            $0.withMemoryRebound(to: timespec.self, capacity: 2) { futimens(descriptor, $0) }
        }
        guard result == 0 else { throw FileError(.write, name) }
    }

    /// The range of data at or after an offset, up to `end`; nil if only a hole is left.
    func nextData(from offset: UInt64, end: UInt64) -> Range<UInt64>? {
        let start = clf_next_data(descriptor, Int64(clamping: offset))
        if start == Int64(-ENXIO) { return nil }
        // A file system without support for holes has data everywhere.
        guard start >= 0, UInt64(start) >= offset else { return offset..<end }
        guard UInt64(start) < end else { return nil }
        let hole = clf_next_hole(descriptor, start)
        let upper = hole > start ? min(UInt64(hole), end) : end
        return UInt64(start)..<upper
    }

    // MARK: pipes

    /// Whether reading or writing may wait for another process.
    var canBlock: Bool {
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { return false }
        return information.st_mode & S_IFMT != S_IFREG
    }

    /// Reads the available bytes; nil if there are none now, zero at the end.
    func readSome(into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int? {
        try once(.read) { Glibc.read(descriptor, buffer.baseAddress, buffer.count) }
    }

    /// Writes what fits at the current offset; zero if nothing fits now.
    func writeSome(_ bytes: UnsafeRawBufferPointer) throws(FileError) -> Int {
        let count = try once(.write) { Glibc.write(descriptor, bytes.baseAddress, bytes.count) }
        guard let count else { return 0 }
        guard count > 0 || bytes.isEmpty else { throw FileError(.write, name, code: ENOSPC) }
        return count
    }

    /// Makes one system call, repeated after a signal; nil if it would have to wait.
    private func once(
        _ operation: FileError.Operation, _ call: () -> Int
    ) throws(FileError) -> Int? {
        while true {
            let count = call()
            if count >= 0 { return count }
            if errno == EAGAIN { return nil }
            guard errno == EINTR else { throw FileError(operation, name) }
        }
    }
}

extension FileTime {
    init(_ time: timespec) {
        seconds = Int64(time.tv_sec)
        nanoseconds = UInt32(clamping: time.tv_nsec)
    }

    var specification: timespec { timespec(tv_sec: Int(seconds), tv_nsec: Int(nanoseconds)) }
}
