import Glibc
import PathTrace
import Pathwise

/// A trace under way, of `--record` or of a request.
struct ServiceRecording: Sendable {
    let recorder: SessionRecorder
    private let file: String

    /// Opens a trace; nil if none is wanted.
    ///
    /// - Parameter record: a new file; a folder, with a slash at its end, gets one with the time and
    ///   the number of this process in its name, so that a service can be started again.
    init?(_ record: String?) throws {
        guard let record else { return nil }
        var file = record
        if record.hasSuffix("/") {
            guard mkdir(record, 0o700) == 0 || errno == EEXIST else {
                throw CommandFailure(
                    "--record: cannot create \(record): \(systemText(errno))", .cannotCreate)
            }
            let time = TransferText.time().filter { $0.isNumber || $0 == "T" || $0 == "Z" }
            file += "\(time)-\(getpid())"
            // Another one of the same second gets a number.
            var number = 1
            while access(file + ".trace", F_OK) == 0, number < 1000 {
                number += 1
                file = "\(record)\(time)-\(getpid())-\(number)"
            }
            file += ".trace"
        }
        do {
            recorder = try SessionRecorder(path: file, command: CommandLine.arguments.joinedSafely)
        } catch {
            throw CommandFailure(recording: error)
        }
        self.file = file
    }

    /// Ends all sessions, and writes what is left.
    func complete() throws {
        recorder.end()
        do throws(TraceError) { try recorder.close() } catch {
            throw CommandFailure(recording: error)
        }
    }

    /// Removes the trace again, as no session uses it.
    func discard() {
        try? complete()
        for suffix in ["", "-wal", "-shm"] { unlink(file + suffix) }
    }
}

extension [String] {
    /// The command line for a trace; keys are given as files, so nothing in it is secret.
    fileprivate var joinedSafely: String {
        String(joined(separator: " ").prefix(1000))
    }
}
