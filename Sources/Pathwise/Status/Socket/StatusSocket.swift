internal import Glibc
internal import PathTelemetry

/// Answers other processes of this user that ask for the status of this one.
///
/// One thread serves all of them. A process that asks for nothing, or does not read its answer, is
/// cut off after two seconds. No more than 16 are served at once: another one takes the place of the
/// one that has been silent for the longest time, or waits if all have asked. The socket's
/// name exists while this process listens, and the next start removes names of killed processes.
public final class StatusSocket: Sendable {
    private let path: String
    private let wakeEnd: Int32
    private let thread: WorkerThread

    /// Opens the socket `COMMAND-NAME-PROCESS.sock` in the folder, which is made if it is missing.
    ///
    /// - Parameters:
    ///   - folder: of the sockets of this user.
    ///   - command: of this process, for example `send`.
    ///   - name: what the user calls this process, as its server's name; nil for none.
    ///   - tick: is called once a second on the socket's thread, for rates.
    ///   - answer: makes an answer, on the same thread; the end of the line is added.
    /// - Throws: `StatusError` if the folder or the socket cannot be made.
    public init(
        folder: String, command: String, name: String? = nil,
        tick: @escaping @Sendable () -> Void,
        answer: @escaping @Sendable (StatusRequest) -> [UInt8]
    ) throws(StatusError) {
        try StatusFolder.make(folder)
        StatusFolder.clean(folder)
        let path = "\(folder)/\(StatusProcess.file(command: command, name: name))"
        // Only a socket that answers gets the name by which others find it.
        let temporary = "\(folder)/.\(getpid()).new"
        unlink(temporary)
        let listener = try UnixSocket.listen(temporary)
        var ends: [Int32] = [-1, -1]
        guard rename(temporary, path) == 0, pipe(&ends) == 0 else {
            let code = errno
            Glibc.close(listener)
            unlink(temporary)
            throw .system(operation: "create", path: path, code: code)
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var service = StatusService(
            listener: listener, wake: ends[0], tick: tick, answer: answer)
        do throws(WorkerThread.Refusal) {
            let start = service
            thread = try WorkerThread(named: "pathwise-status") {
                var service = start
                service.run()
            }
        } catch {
            service.close()
            Glibc.close(ends[1])
            unlink(path)
            throw .system(operation: "start a thread for", path: path, code: error.code)
        }
        self.path = path
        wakeEnd = ends[1]
    }

    /// Stops answering, and removes the socket; call it once.
    public func close() {
        unlink(path)
        Glibc.close(wakeEnd)
        thread.join()
    }
}

/// The loop of the socket's thread.
private struct StatusService {
    private struct Client {
        let descriptor: Int32
        let end: Int
        var question: [UInt8] = []
        var answer: [UInt8]?
        var sent = 0
    }

    private static let mostClients = 16
    private static let patience = 2000
    private static let longestQuestion = 32

    let listener: Int32
    let wake: Int32
    let tick: @Sendable () -> Void
    let answer: @Sendable (StatusRequest) -> [UInt8]
    private var clients: [Client] = []

    init(
        listener: Int32, wake: Int32, tick: @escaping @Sendable () -> Void,
        answer: @escaping @Sendable (StatusRequest) -> [UInt8]
    ) {
        self.listener = listener
        self.wake = wake
        self.tick = tick
        self.answer = answer
    }

    mutating func close() {
        for client in clients { Glibc.close(client.descriptor) }
        clients = []
        Glibc.close(listener)
        Glibc.close(wake)
    }

    /// Returns when the other end of `wake` is closed.
    mutating func run() {
        defer { close() }
        var nextTick = MonotonicTime.milliseconds()
        while true {
            let now = MonotonicTime.milliseconds()
            if now >= nextTick {
                tick()
                nextTick = now + 1000
            }
            // Silent clients make room for new ones.
            let isFull =
                clients.count >= StatusService.mostClients
                && clients.allSatisfy { $0.answer != nil }
            var waits = [
                pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
                pollfd(fd: isFull ? -1 : listener, events: Int16(POLLIN), revents: 0),
            ]
            for client in clients {
                let events = client.answer == nil ? POLLIN : POLLOUT
                waits.append(
                    pollfd(fd: client.descriptor, events: Int16(events), revents: 0))
            }
            let until = clients.reduce(nextTick) { min($0, $1.end) }
            let left = Int32(clamping: max(0, until - MonotonicTime.milliseconds()))
            guard poll(&waits, nfds_t(waits.count), left) >= 0 || errno == EINTR else { return }
            if waits[0].revents != 0 { return }
            serve(waits.dropFirst(2).map { $0.revents != 0 })
            if waits[1].revents != 0 { accept() }
        }
    }

    private mutating func accept() {
        let descriptor = Glibc.accept(listener, nil, nil)
        guard descriptor >= 0 else {
            // Without free descriptors the client would be accepted again at once.
            if errno == EMFILE || errno == ENFILE { usleep(100_000) }
            return
        }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        guard fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0, UnixSocket.isTrusted(descriptor) else {
            Glibc.close(descriptor)
            return
        }
        if clients.count >= StatusService.mostClients,
            let oldest = clients.firstIndex(where: { $0.answer == nil })
        {
            Glibc.close(clients[oldest].descriptor)
            clients.remove(at: oldest)
        }
        clients.append(
            Client(
                descriptor: descriptor,
                end: MonotonicTime.milliseconds() + StatusService.patience))
    }

    /// Continues with each client that is ready, and lets go those that are done or too slow.
    private mutating func serve(_ isReady: [Bool]) {
        let now = MonotonicTime.milliseconds()
        for index in clients.indices.reversed() {
            let goesOn = isReady[index] ? advance(&clients[index]) : true
            if goesOn, now < clients[index].end { continue }
            Glibc.close(clients[index].descriptor)
            clients.remove(at: index)
        }
    }

    /// Returns false when nothing more is to be done for the client.
    private func advance(_ client: inout Client) -> Bool {
        if client.answer == nil {
            guard hear(&client) else { return false }
            guard client.question.last == 10 else { return true }
            let word = String(decoding: client.question.dropLast(), as: UTF8.self)
            guard let request = StatusRequest(rawValue: word) else { return false }
            client.answer = answer(request) + [10]
        }
        guard let answer = client.answer else { return false }
        while client.sent < answer.count {
            let count = answer.withUnsafeBytes { bytes in
                send(
                    client.descriptor, bytes.baseAddress.map { $0 + client.sent },
                    bytes.count - client.sent, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                client.sent += count
            } else {
                return errno == EAGAIN || errno == EINTR
            }
        }
        return false
    }

    /// Reads more of the question, up to the end of its line; returns false if none can come.
    private func hear(_ client: inout Client) -> Bool {
        while client.question.count < StatusService.longestQuestion {
            var byte: UInt8 = 0
            let count = recv(client.descriptor, &byte, 1, 0)
            guard count == 1 else { return count < 0 && (errno == EAGAIN || errno == EINTR) }
            client.question.append(byte)
            if byte == 10 { return true }
        }
        return false
    }
}
