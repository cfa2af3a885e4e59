internal import Glibc

/// Distinguishes one state of a file from another; all zero if there is no file.
struct FileStamp: Equatable, Sendable {
    private var device: UInt = 0
    private var number: UInt = 0
    private var size = 0
    private var seconds = 0
    private var nanoseconds = 0

    init(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return }
        device = UInt(status.st_dev)
        number = UInt(status.st_ino)
        size = Int(status.st_size)
        seconds = Int(status.st_mtim.tv_sec)
        nanoseconds = Int(status.st_mtim.tv_nsec)
    }
}

/// Notices that files were changed and have come to rest, or that somebody asks to read them again.
public struct FileWatch: Sendable {
    /// What a look found.
    public enum Finding: Sendable {
        case nothing
        /// A file is not as it was when it was last reported, and did not change since the look
        /// before.
        case changed
        /// Somebody asked, whatever the times of the files are.
        case asked
    }

    private let files: [String]
    private var handled: [FileStamp]
    private var previous: [FileStamp] = []
    private var answered: UInt64

    /// - Parameters:
    ///   - files: the paths; the first finding is `changed` once they rest.
    ///   - requests: how many times somebody has asked so far.
    public init(_ files: [String], requests: UInt64) {
        self.files = files
        handled = []
        answered = requests
    }

    /// Looks at the files, some times a second.
    ///
    /// - Parameter requests: how many times somebody has asked so far.
    public mutating func look(requests: UInt64) -> Finding {
        let stamps = files.map { FileStamp($0) }
        defer { previous = stamps }
        let isAsked = requests != answered
        guard isAsked || stamps == previous && stamps != handled else { return .nothing }
        answered = requests
        handled = stamps
        return isAsked ? .asked : .changed
    }
}
