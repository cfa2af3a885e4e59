internal import Dispatch
internal import Glibc

/// Waits until a pipe, a terminal or a socket is ready, or the wait is cancelled.
///
/// A plain `read` of a pipe without a writer never returns, and blocks one of the few threads that
/// run tasks. *Any thread* may call `cancel`, which ends this wait and all later ones.
final class PipeGate: Sendable {
    private let readEnd: Int32
    private let writeEnd: Int32

    init() throws(FileError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw FileError(.create, "a pipe") }
        (readEnd, writeEnd) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    /// Ends this wait and all later ones.
    func cancel() {
        var byte: UInt8 = 1
        _ = write(writeEnd, &byte, 1)
    }

    /// Returns when there are bytes to read, or room to write; false if cancelled.
    func wait(for file: OpenFile, toWrite: Bool) async -> Bool {
        if let ready = look(file, toWrite, milliseconds: 0) { return ready }
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                var ready: Bool?
                while ready == nil { ready = self.look(file, toWrite, milliseconds: -1) }
                continuation.resume(returning: ready ?? false)
            }
        }
    }

    /// True if ready, false if cancelled, nil if neither.
    private func look(_ file: OpenFile, _ toWrite: Bool, milliseconds: Int32) -> Bool? {
        var waits = [
            pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0),
            pollfd(
                fd: file.descriptor, events: Int16(toWrite ? POLLOUT : POLLIN), revents: 0),
        ]
        guard poll(&waits, 2, milliseconds) > 0 else { return nil }
        if waits[0].revents != 0 { return false }
        return waits[1].revents != 0 ? true : nil
    }
}
