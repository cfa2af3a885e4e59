internal import Glibc
internal import PathTelemetry

/// Answers other processes of this user that ask for the status of this one.
///
/// One thread serves all of them. A process that asks for nothing, or does not read its answer, is
/// cut off after two seconds. No more than 16 are served at once: another one takes the place of the
/// one that has been silent for the longest time, or waits if all have asked. The socket's
/// name exists while this process listens, and the next start removes names of killed processes.
public final class StatusSocket: Sendable {
    /// Makes a change, and calls the closure once with the answer, from any thread.
    public typealias ChangeHandler =
        @Sendable (_ words: [String], _ reply: @escaping @Sendable ([UInt8]) -> Void) -> Void

    private let path: String
    private let mail: StatusMail
    private let thread: WorkerThread

    /// Opens the socket `COMMAND-NAME-PROCESS.sock` in the folder, which is made if it is missing.
    ///
    /// - Parameters:
    ///   - folder: of the sockets of this user.
    ///   - command: of this process, for example `send`.
    ///   - name: what the user calls this process, as its server's name; nil for none.
    ///   - tick: is called once a second on the socket's thread, for rates.
    ///   - answer: makes an answer to `json` and `text`, on the same thread; the end of the line is
    ///     added.
    ///   - change: takes a change on the same thread and answers it later; nil for a process that
    ///     takes none, which cuts off those who ask.
    /// - Throws: `StatusError` if the folder or the socket cannot be made.
    public init(
        folder: String, command: String, name: String? = nil,
        tick: @escaping @Sendable () -> Void,
        answer: @escaping @Sendable (StatusRequest) -> [UInt8], change: ChangeHandler? = nil
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
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        let mail = StatusMail(wakeEnd: ends[1])
        var service = StatusService(
            listener: listener, wake: ends[0], mail: mail, tick: tick, answer: answer,
            change: change)
        do throws(WorkerThread.Refusal) {
            let start = service
            thread = try WorkerThread(named: "pathwise-status") {
                var service = start
                service.run()
            }
        } catch {
            service.close()
            mail.close()
            unlink(path)
            throw .system(operation: "start a thread for", path: path, code: error.code)
        }
        self.path = path
        self.mail = mail
    }

    /// Stops answering, and removes the socket; call it once.
    public func close() {
        unlink(path)
        mail.close()
        thread.join()
    }
}

/// The loop of the socket's thread.
private struct StatusService {
    private struct Client {
        let descriptor: Int32
        let number: Int
        var end: Int
        var question: [UInt8] = []
        var answer: [UInt8]?
        /// Whether the answer is being made.
        var isWaiting = false
        var sent = 0

        /// Whether it may be cut off for another one: it has asked for nothing yet.
        var isSilent: Bool { answer == nil && !isWaiting }
    }

    private static let mostClients = 16
    private static let patience = 2000

    let listener: Int32
    let wake: Int32
    let mail: StatusMail
    let tick: @Sendable () -> Void
    let answer: @Sendable (StatusRequest) -> [UInt8]
    let change: StatusSocket.ChangeHandler?
    private var clients: [Client] = []
    private var nextNumber = 0

    init(
        listener: Int32, wake: Int32, mail: StatusMail, tick: @escaping @Sendable () -> Void,
        answer: @escaping @Sendable (StatusRequest) -> [UInt8],
        change: StatusSocket.ChangeHandler?
    ) {
        self.listener = listener
        self.wake = wake
        self.mail = mail
        self.tick = tick
        self.answer = answer
        self.change = change
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
                && clients.allSatisfy { !$0.isSilent }
            var waits = [
                pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
                pollfd(fd: isFull ? -1 : listener, events: Int16(POLLIN), revents: 0),
            ]
            for client in clients {
                // One that waits for its answer is only watched for its end.
                let events = client.isWaiting ? 0 : client.answer == nil ? POLLIN : POLLOUT
                waits.append(
                    pollfd(fd: client.descriptor, events: Int16(events), revents: 0))
            }
            let until = clients.reduce(nextTick) { min($0, $1.end) }
            let left = Int32(clamping: max(0, until - MonotonicTime.milliseconds()))
            guard poll(&waits, nfds_t(waits.count), left) >= 0 || errno == EINTR else { return }
            if waits[0].revents != 0 {
                guard UnixSocket.hear(wake) else { return }
                deliver()
            }
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
            let oldest = clients.firstIndex(where: { $0.isSilent })
        {
            Glibc.close(clients[oldest].descriptor)
            clients.remove(at: oldest)
        }
        nextNumber += 1
        clients.append(
            Client(
                descriptor: descriptor, number: nextNumber,
                end: MonotonicTime.milliseconds() + StatusService.patience))
    }

    /// Takes the answers that were made meanwhile.
    private mutating func deliver() {
        for (number, answer) in mail.take() {
            // Its client may have gone.
            guard let index = clients.firstIndex(where: { $0.number == number && $0.isWaiting })
            else { continue }
            clients[index].isWaiting = false
            clients[index].answer = answer + [10]
            clients[index].end = MonotonicTime.milliseconds() + StatusService.patience
        }
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
        if client.isWaiting { return false }
        if client.answer == nil {
            guard hear(&client) else { return false }
            guard client.question.last == 10 else { return true }
            guard let request = StatusRequest(client.question.dropLast()) else { return false }
            switch request {
            case .json, .text: client.answer = answer(request) + [10]
            case .change(let words):
                guard let change else { return false }
                client.isWaiting = true
                client.end = MonotonicTime.milliseconds() + request.patience
                change(words) { [mail, number = client.number] in mail.post($0, to: number) }
                return true
            }
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
        var room = [UInt8](repeating: 0, count: 1024)
        while client.question.count < StatusRequest.longest {
            let count = recv(client.descriptor, &room, room.count, 0)
            guard count > 0 else { return count < 0 && (errno == EAGAIN || errno == EINTR) }
            client.question += room[..<count]
            if let end = client.question.firstIndex(of: 10) {
                // Nothing may follow the line.
                return end == client.question.count - 1
            }
        }
        return false
    }
}
