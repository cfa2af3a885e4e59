internal import Glibc

/// An operation on a file that failed, and how to fix it.
public struct FileError: Error, Hashable, Sendable {
    /// The operation.
    public enum Operation: String, Sendable {
        case open, create, read, write, rename, list, synchronize
    }

    public var operation: Operation
    /// Safe to show.
    public var path: String
    /// The system's error number.
    public var code: Int32

    init(_ operation: Operation, _ path: String, code: Int32 = errno) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    /// The receiver's reason for a refusal.
    var reason: TransferReason {
        switch code {
        case ENOSPC, EDQUOT, EIO, EFBIG, EPIPE, EBADF: .inputOutput
        case EMFILE, ENFILE, ENOMEM, EAGAIN: .temporary
        default: operation == .read || operation == .synchronize ? .inputOutput : .cannotCreate
        }
    }
}

extension FileError: CustomStringConvertible {
    public var description: String {
        let reason = String(cString: strerror(code))
        let fix =
            switch code {
            case ENOENT where operation == .create: "make its folder first"
            case ENOENT: "check the name"
            case EACCES, EPERM: "check the permissions of the file and its folder"
            case ENOSPC, EDQUOT: "free some space, or choose another disk"
            case EISDIR where operation == .rename:
                "a folder of that name is there; move it away, or choose --on-conflict rename"
            case EISDIR: "name a file, not a folder"
            case EEXIST: "move it away, or choose --on-conflict rename or replace"
            case EROFS: "choose a place that can be written to"
            case ENOTDIR, ELOOP: "a link or a file stands where a folder has to be; move it away"
            case ENAMETOOLONG: "the file system takes no name of that length"
            case EMFILE, ENFILE: "raise the limit of open files (ulimit -n)"
            case EPIPE: "the program that reads it has ended"
            case EBADF: "it is closed; open it, or name a file"
            default: "see the system's message"
            }
        let place = path.isEmpty ? "''" : path
        return "cannot \(operation.rawValue) \(place): \(reason); \(fix)"
    }
}
