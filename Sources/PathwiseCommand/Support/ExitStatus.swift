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
    /// The other side, an address or a port is not there.
    case unavailable = 69
    /// The program contradicts itself.
    case software = 70
    /// The system refuses something that should work.
    case systemError = 71
    /// A file cannot be made.
    case cannotCreate = 73
    /// Reading or writing failed on the way.
    case inputOutput = 74
    /// Trying again later may work.
    case temporary = 75
    /// The other side does not keep to the protocol.
    case protocolError = 76
    /// Refused: by the peer, or for want of a privilege.
    case noPermission = 77
    /// Something that was set up beforehand is wrong.
    case configuration = 78
    /// Ended by SIGINT, and by SIGTERM: 128 and the signal's number.
    case interrupted = 130
    case terminated = 143

    /// The status of a program that a signal ended.
    init(signal: Int32) { self = signal == SIGTERM ? .terminated : .interrupted }

    /// What a failed call on an input file means.
    init(reading code: Int32) {
        switch code {
        case ENOENT, ENOTDIR, EISDIR, EACCES, EPERM, ELOOP, ENAMETOOLONG, ENXIO, ENODEV:
            self = .noInput
        case EIO, EBADF: self = .inputOutput
        default: self = .systemError
        }
    }

    /// What a failed call on an output file means.
    init(writing code: Int32) {
        switch code {
        case ENOENT, ENOTDIR, EISDIR, EACCES, EPERM, ELOOP, ENAMETOOLONG, EROFS, EEXIST, ENXIO,
            ENODEV:
            self = .cannotCreate
        case EIO, ENOSPC, EDQUOT, EFBIG, EPIPE, EBADF: self = .inputOutput
        default: self = .systemError
        }
    }

    /// What a failed call on a socket means.
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
