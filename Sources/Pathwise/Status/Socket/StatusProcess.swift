internal import Glibc
internal import PathTelemetry

/// A running process that offers its status, as the name of its socket tells.
public struct StatusProcess: Hashable, Sendable {
    /// The subcommand: `forward`, `serve`, `send`.
    public var command: String
    /// The name that the user knows it by, as that of its server; empty without one.
    public var name: String
    public var process: Int32
    /// Of the socket.
    let path: String

    private static let suffix = ".sock"
    /// The longest answer that is read.
    private static let longest = 64 << 20

    /// Reads `COMMAND-PROCESS.sock` or `COMMAND-NAME-PROCESS.sock`; nil for other names.
    init?(folder: String, file: String) {
        guard file.hasSuffix(StatusProcess.suffix), !file.hasPrefix(".") else { return nil }
        let stem = file.dropLast(StatusProcess.suffix.count)
        guard let first = stem.firstIndex(of: "-"), let last = stem.lastIndex(of: "-"),
            let process = Int32(stem[stem.index(after: last)...]), process > 0
        else { return nil }
        command = String(stem[..<first])
        name = first == last ? "" : String(stem[stem.index(after: first)..<last])
        guard PlainName.allows(command), first == last || PlainName.allows(name) else { return nil }
        self.process = process
        path = "\(folder)/\(file)"
    }

    static func file(command: String, name: String?) -> String {
        let middle = name.map { PlainName.allows($0) ? "-\($0)" : "" } ?? ""
        return "\(command)\(middle)-\(getpid())\(suffix)"
    }

    /// Whether a word of the user means it: its number, its name, or its subcommand.
    public func matches(_ word: String) -> Bool {
        word == "\(process)" || word == name || word == command
    }

    /// The answer of the process; nil if it has ended, or was killed.
    ///
    /// It waits for two seconds at most, and for a minute if something is to be changed.
    public func ask(_ request: StatusRequest) throws(StatusError) -> [UInt8]? {
        let socket: Int32
        do throws(StatusError) {
            socket = try UnixSocket.connect(path)
        } catch {
            if case .system(_, _, let code) = error, code == ECONNREFUSED || code == ENOENT {
                return nil
            }
            throw error
        }
        defer { close(socket) }
        let question = request.line
        guard send(socket, question, question.count, Int32(MSG_NOSIGNAL)) == question.count
        else { throw .noAnswer(path) }
        let end = MonotonicTime.milliseconds() + request.patience
        var answer: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 1 << 16)
        while answer.count <= StatusProcess.longest {
            var wait = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            let left = end - MonotonicTime.milliseconds()
            guard left > 0 else { break }
            if poll(&wait, 1, Int32(clamping: left)) < 0, errno != EINTR { break }
            let count = recv(socket, &room, room.count, Int32(MSG_DONTWAIT))
            // A process that is killed meanwhile has no status.
            if count == 0 { return answer.last == 10 ? answer : nil }
            if count > 0 {
                answer += room[..<count]
            } else if errno != EINTR, errno != EAGAIN {
                return nil
            }
        }
        throw .noAnswer(path)
    }
}

/// Milliseconds for time-outs of local sockets.
enum MonotonicTime {
    static func milliseconds() -> Int {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return now.tv_sec * 1000 + now.tv_nsec / 1_000_000
    }
}
