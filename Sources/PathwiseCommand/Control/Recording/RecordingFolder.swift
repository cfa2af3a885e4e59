import Glibc
import PathTelemetry

/// A folder of recordings, whose files have the time and the number of their process in their names.
struct RecordingFolder: Sendable {
    /// With a slash at its end.
    let path: String

    /// - Parameter record: a folder that exists, or a text with a slash at its end; nil for others.
    init?(_ record: String) {
        guard record.hasSuffix("/") || RecordingFolder.isFolder(record) else { return nil }
        path = record.hasSuffix("/") ? record : record + "/"
    }

    static func isFolder(_ path: String) -> Bool {
        var information = stat()
        return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
    }

    /// Makes the folder if it does not exist.
    func make() throws(CommandFailure) {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw CommandFailure(
                "--record: cannot create \(path): \(systemText(errno))", .cannotCreate)
        }
    }

    /// A name that no file has yet.
    func newFile() -> String {
        let time = TransferText.time().filter { $0.isNumber || $0 == "T" || $0 == "Z" }
        var stem = "\(path)\(time)-\(getpid())"
        // Another one of the same second gets a number.
        var number = 1
        while access(stem + ".trace", F_OK) == 0, number < 1000 {
            number += 1
            stem = "\(path)\(time)-\(getpid())-\(NumberText.padded(number, to: 3))"
        }
        return stem + ".trace"
    }

    /// All traces of the folder, also those that other programs put there, by name.
    static func traces(in folder: String) -> [String] {
        FolderNames.all(in: folder).filter { $0.hasSuffix(".trace") }.sorted().map {
            folder.hasSuffix("/") ? folder + $0 : "\(folder)/\($0)"
        }
    }

    /// The arguments of a command that reads traces, with the traces of a folder in its place.
    static func expanded(_ traces: [String]) throws(CommandFailure) -> [String] {
        var files: [String] = []
        for trace in traces {
            guard isFolder(trace) else {
                files.append(trace)
                continue
            }
            let found = RecordingFolder.traces(in: trace)
            guard !found.isEmpty else {
                throw CommandFailure("the folder '\(trace)' has no file '*.trace'", .noInput)
            }
            files += found
        }
        return files
    }

    // MARK: limits

    private static let suffixes = ["", "-wal", "-shm", "-journal"]

    /// The bytes of a trace with the files beside it.
    static func bytes(of file: String) -> Int {
        suffixes.reduce(0) { sum, suffix in
            var information = stat()
            guard stat(file + suffix, &information) == 0 else { return sum }
            return sum &+ Int(information.st_size)
        }
    }

    static func remove(_ file: String) { for suffix in suffixes { unlink(file + suffix) } }

    /// Removes the oldest complete files until the rest has at most so many bytes; files that this
    /// program did not make, or that are being written, stay, though they count.
    ///
    /// - Parameters:
    ///   - total: bytes of the files of this program that may be there.
    ///   - open: the files that this process writes.
    /// - Returns: how many files were removed.
    @discardableResult
    func prune(to total: Int, keeping open: Set<String>) -> Int {
        let files = FolderNames.all(in: path).filter {
            RecordingFolder.process(of: $0) != nil
        }.sorted()
        let sizes = files.map { RecordingFolder.bytes(of: path + $0) }
        var sum = sizes.reduce(0, &+)
        var removed = 0
        for (name, size) in zip(files, sizes) {
            guard sum > total else { break }
            let file = path + name
            guard !open.contains(file), isComplete(name) else { continue }
            RecordingFolder.remove(file)
            sum -= size
            removed += 1
        }
        return removed
    }

    /// Whether no process writes to a file: it has no log beside it, or its process is gone.
    private func isComplete(_ name: String) -> Bool {
        guard access(path + name + "-wal", F_OK) == 0,
            let process = RecordingFolder.process(of: name)
        else { return true }
        return process == getpid() || kill(process, 0) != 0 && errno == ESRCH
    }

    /// The number of the process in a name such as `20261130T104512Z-4711.trace`; nil for others.
    static func process(of name: String) -> pid_t? {
        guard name.hasSuffix(".trace") else { return nil }
        let parts = name.dropLast(6).split(separator: "-", omittingEmptySubsequences: false)
        let time = Array(parts[0].utf8)
        guard parts.count == 2 || parts.count == 3 && UInt16(parts[2]) != nil, time.count == 16,
            time[8] == UInt8(ascii: "T"), time[15] == UInt8(ascii: "Z"),
            let process = pid_t(parts[1]), process > 0
        else { return nil }
        let digits = time[..<8] + time[9..<15]
        return digits.allSatisfy { (48...57).contains($0) } ? process : nil
    }

    /// Free bytes of the disk for this user; nil if that is not known.
    var freeBytes: Int? {
        var information = statvfs()
        guard statvfs(path, &information) == 0 else { return nil }
        let (bytes, isTooMany) = Int(clamping: information.f_bavail).multipliedReportingOverflow(
            by: Int(clamping: information.f_frsize))
        return isTooMany ? .max : bytes
    }
}
