/// Why a trace could not be written or read; the description says how to fix it.
public enum TraceError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file could not be opened or created.
    case cannotOpen(path: String, reason: String)
    /// A file of that name exists, and neither appending nor replacing was requested.
    case exists(path: String)
    /// The file is empty, not a database, or a database of another program.
    case notATrace(path: String, reason: String)
    /// The trace has a format version that this program cannot read.
    case otherVersion(path: String, found: Int, supported: Int)
    /// The trace has another feature schema than expected.
    case otherSchema(path: String, found: String, expected: String)
    /// The file is truncated, or its content is inconsistent.
    case damaged(path: String, what: String)
    /// Two sessions are the same recording: the session, and the one that it repeats.
    case repeated(String, String)
    /// The disk is full; recording has stopped.
    case diskFull(path: String)
    /// Another write error; recording has stopped.
    case writeFailed(path: String, reason: String)
    /// A running writer or reader has locked the file.
    case busy(path: String)
    /// Exported rows could not be written out.
    case exportFailed(reason: String)
    /// A file to import cannot be read or is malformed; line 0 means the whole file.
    case importRefused(path: String, line: Int, what: String)

    public var description: String {
        switch self {
        case .cannotOpen(let path, let reason):
            "cannot open trace '\(path)': \(reason); check the path and its permissions"
        case .exists(let path):
            "trace '\(path)' exists already; name another file or delete it first"
        case .notATrace(let path, let reason):
            "'\(path)' is not a trace: \(reason); name a file written by --record"
        case .otherVersion(let path, let found, let supported):
            "trace '\(path)' has format version \(found), this program reads version \(supported);"
                + (found > supported
                    ? " use a newer pathwise" : " export it with the pathwise that wrote it")
        case .otherSchema(let path, let found, let expected):
            "trace '\(path)' has feature schema \(found), expected \(expected);"
                + " record it again, or use the pathwise that wrote it"
        case .damaged(let path, let what):
            "trace '\(path)' is damaged: \(what); restore the whole file (and its '-wal' file, if"
                + " there was one), or save what is left with 'sqlite3 \(path) .recover'"
        case .repeated(let first, let second):
            "\(second) is the same recording as \(first); name each recording once"
        case .diskFull(let path):
            "recording to '\(path)' stopped: the disk is full;"
                + " free some space and start a new recording"
        case .writeFailed(let path, let reason):
            "recording to '\(path)' stopped: \(reason)"
        case .busy(let path):
            "trace '\(path)' is locked by another program; close it and try again"
        case .exportFailed(let reason):
            "cannot write the export: \(reason)"
        case .importRefused(let path, let line, let what):
            "cannot import '\(path)'" + (line > 0 ? ", line \(line)" : "") + ": \(what)"
        }
    }
}
