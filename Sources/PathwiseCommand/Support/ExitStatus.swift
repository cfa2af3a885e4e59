import Glibc

/// Exit codes, after sysexits(3).
enum ExitStatus: Int32, Sendable {
    case success = 0
    /// The command line is wrong.
    case usage = 64
    /// A file's content is wrong.
    case dataError = 65
    /// A file is missing or cannot be read.
    case noInput = 66
    /// The peer, an address or a port is not available.
    case unavailable = 69
    /// The program has an internal error.
    case software = 70
    /// The system refused an operation that should work.
    case systemError = 71
    /// A file cannot be created.
    case cannotCreate = 73
    /// Reading or writing failed.
    case inputOutput = 74
    /// A retry later may succeed.
    case temporary = 75
    /// The peer violated the protocol.
    case protocolError = 76
    /// The peer refused, or a privilege is missing.
    case noPermission = 77
    /// A configuration is wrong.
    case configuration = 78
    /// Ended by SIGHUP, SIGINT or SIGTERM: 128 plus the signal's number.
    case hungUp = 129
    case interrupted = 130
    case terminated = 143

    /// The status of a program that was ended by a signal.
    init(signal: Int32) {
        switch signal {
        case SIGTERM: self = .terminated
        case SIGHUP: self = .hungUp
        default: self = .interrupted
        }
    }

    /// The status for a failed call on an input file.
    init(reading code: Int32) {
        switch code {
        case ENOENT, ENOTDIR, EISDIR, EACCES, EPERM, ELOOP, ENAMETOOLONG, ENXIO, ENODEV:
            self = .noInput
        case EIO, EBADF: self = .inputOutput
        default: self = .systemError
        }
    }

    /// The status for a failed call on an output file.
    init(writing code: Int32) {
        switch code {
        case ENOENT, ENOTDIR, EISDIR, EACCES, EPERM, ELOOP, ENAMETOOLONG, EROFS, EEXIST, ENXIO,
            ENODEV:
            self = .cannotCreate
        case EIO, ENOSPC, EDQUOT, EFBIG, EPIPE, EBADF: self = .inputOutput
        default: self = .systemError
        }
    }

    /// The status for a failed call on a socket.
    init(socket code: Int32) {
        switch code {
        case EADDRINUSE, EADDRNOTAVAIL, ENODEV, ENXIO, EAFNOSUPPORT, ENETUNREACH, EHOSTUNREACH,
            ENETDOWN, EHOSTDOWN, ECONNREFUSED:
            self = .unavailable
        case EACCES, EPERM: self = .noPermission
        default: self = .systemError
        }
    }
}
