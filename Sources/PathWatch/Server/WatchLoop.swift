internal import Glibc

/// The loop of a watch server's thread.
struct WatchLoop: Sendable {
    private let listener: Int32
    private let wake: Int32
    private let mail: WatchMail
    private let gate: WatchGate
    private let content: WatchContent
    private var clients: [WatchClient] = []
    private var nextNumber = 0

    init(
        listener: Int32, wake: Int32, mail: WatchMail, gate: WatchGate, content: WatchContent
    ) {
        self.listener = listener
        self.wake = wake
        self.mail = mail
        self.gate = gate
        self.content = content
    }

    private static func milliseconds() -> Int {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return now.tv_sec * 1000 + now.tv_nsec / 1_000_000
    }

    /// Returns when the other end of `wake` is closed.
    mutating func run() {
        defer {
            for client in clients { close(client.descriptor) }
            close(listener)
            close(wake)
        }
        var nextTick = WatchLoop.milliseconds()
        while true {
            let now = WatchLoop.milliseconds()
            if now >= nextTick {
                tell(content.tick(clients.contains(where: \.isFollowing)), now: now)
                // A process that was stopped for a while does not catch up.
                nextTick = max(nextTick + 1000, now + 500)
            }
            // All known: a new one has to wait.
            let isFull = clients.count >= WatchLimits.clients && clients.allSatisfy(\.isKnown)
            var waits = [
                pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
                pollfd(fd: isFull ? -1 : listener, events: Int16(POLLIN), revents: 0),
            ]
            waits += clients.map { pollfd(fd: $0.descriptor, events: $0.interest, revents: 0) }
            let until = clients.reduce(nextTick) { min($0, $1.deadline) }
            let left = Int32(clamping: max(0, until - WatchLoop.milliseconds()))
            guard poll(&waits, nfds_t(waits.count), left) >= 0 || errno == EINTR else { return }
            if waits[0].revents != 0, !drain() { return }
            // Before anything else, as the events belong to the clients in this order.
            serve(waits.dropFirst(2).map(\.revents))
            let letters = mail.take()
            for (number, response) in letters.answers { take(response, for: number) }
            tell(letters.events, now: WatchLoop.milliseconds())
            if waits[1].revents != 0 { accept() }
        }
    }

    /// Takes the bytes that woke this thread; false if the server is closed.
    private func drain() -> Bool {
        var room = [UInt8](repeating: 0, count: 256)
        let count = read(wake, &room, room.count)
        return count > 0 || count < 0 && (errno == EAGAIN || errno == EINTR)
    }

    // MARK: connections

    private mutating func accept() {
        let descriptor = Glibc.accept(listener, nil, nil)
        guard descriptor >= 0 else {
            // Without free descriptors it would be tried again at once.
            if errno == EMFILE || errno == ENFILE { usleep(100_000) }
            return
        }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        if clients.count >= WatchLimits.clients,
            let oldest = clients.firstIndex(where: { !$0.isKnown })
        {
            remove(at: oldest)
        }
        nextNumber += 1
        clients.append(
            WatchClient(descriptor, number: nextNumber, now: WatchLoop.milliseconds()))
    }

    private mutating func remove(at index: Int) {
        close(clients[index].descriptor)
        clients.remove(at: index)
        count()
    }

    private func count() { mail.setFollowers(clients.count(where: \.isFollowing)) }

    /// Goes on with each connection that is ready, and lets go those that are done or too slow.
    private mutating func serve(_ events: [Int16]) {
        for index in events.indices.reversed() {
            let now = WatchLoop.milliseconds()
            var isOpen = events[index] == 0 || advance(index, events[index], now: now)
            if isOpen, now >= clients[index].deadline {
                isOpen = endWaiting(index, now: now)
            }
            if !isOpen { remove(at: index) }
        }
    }

    /// Answers the one whose change takes too long; returns false for every other connection.
    private mutating func endWaiting(_ index: Int, now: Int) -> Bool {
        guard let request = clients[index].change else { return false }
        let response = HTTPResponse(
            .unavailable, why: "it takes longer than a minute; the log will tell what became of it")
        clients[index].answer(response, to: request, isAllowed: true, now: now)
        return clients[index].transmit(now: now)
    }

    private mutating func advance(_ index: Int, _ events: Int16, now: Int) -> Bool {
        if events & Int16(POLLOUT) != 0, !clients[index].transmit(now: now) { return false }
        if events & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
            guard clients[index].receive(now: now) else { return false }
        }
        return answerAll(index, now: now)
    }

    /// Answers what was read: an answer that was taken makes room for the one to the next request.
    private mutating func answerAll(_ index: Int, now: Int) -> Bool {
        while let finding = clients[index].next() {
            switch finding {
            case .incomplete: return true
            case .head(let request):
                // Who may not ask has to send no more.
                guard let status = gate.refusal(of: request) else { return true }
                clients[index].answer(HTTPResponse(status), to: nil, isAllowed: false, now: now)
            case .refused(let status):
                clients[index].answer(HTTPResponse(status), to: nil, isAllowed: false, now: now)
            case .request(let request, _): answer(request, index, now: now)
            }
            guard clients[index].transmit(now: now) else { return false }
        }
        return true
    }

    private mutating func answer(_ request: HTTPRequest, _ index: Int, now: Int) {
        if let status = gate.refusal(of: request) {
            return clients[index].answer(
                HTTPResponse(status), to: request, isAllowed: false, now: now)
        }
        let isPage = request.path == "/"
        let route: WatchContent.Route? = isPage ? .reading : content.route(request.path)
        var response: HTTPResponse
        switch (route, request.method) {
        case (nil, _): response = HTTPResponse(.notFound)
        case (.reading, .get), (.reading, .head):
            if request.body.isEmpty {
                response = isPage ? content.page() : content.answer(request)
            } else {
                response = HTTPResponse(.bodyTooLarge)
            }
        case (.changing, .post):
            let (mail, number) = (mail, clients[index].number)
            clients[index].wait(for: request, now: now)
            return content.change(request) { mail.put($0, to: number) }
        default:
            response = HTTPResponse(.methodNotAllowed)
            if route == .changing { response.allowed = "POST" }
        }
        if response.isStream, clients.count(where: \.isFollowing) >= WatchLimits.followers {
            response = HTTPResponse(.unavailable)
        }
        // The page is for everyone, so it earns nobody a place.
        let isAllowed = gate.token == nil || !isPage
        clients[index].answer(response, to: request, isAllowed: isAllowed, now: now)
        count()
    }

    /// Answers a change that was made, if somebody still waits for it.
    private mutating func take(_ response: HTTPResponse, for number: Int) {
        guard let index = clients.firstIndex(where: { $0.number == number }),
            let request = clients[index].change
        else { return }
        let now = WatchLoop.milliseconds()
        clients[index].answer(response, to: request, isAllowed: true, now: now)
        if !clients[index].transmit(now: now) || !answerAll(index, now: now) { remove(at: index) }
    }

    /// Sends events to all that follow them.
    private mutating func tell(_ events: [UInt8], now: Int) {
        guard !events.isEmpty else { return }
        for index in clients.indices.reversed() where clients[index].isFollowing {
            if !clients[index].add(events, now: now) || !clients[index].transmit(now: now) {
                remove(at: index)
            }
        }
    }
}
