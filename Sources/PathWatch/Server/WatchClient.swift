internal import Glibc

/// A connection of a watch server.
struct WatchClient {
    /// What it waits for.
    enum Phase {
        /// The rest of a request.
        case reading
        /// A change to be made, as this request asks for it.
        case changing(HTTPRequest)
        /// Its answer to be taken, and whether the connection ends then.
        case writing(isLast: Bool)
        /// Events.
        case following
        /// The peer to take the refusal and to close; what it still sends is dropped.
        case leaving
    }

    let descriptor: Int32
    /// No other connection of the server has it.
    let number: Int
    private(set) var phase = Phase.reading
    /// Whether it has made a request that was allowed.
    private(set) var isKnown = false
    private var input: [UInt8] = []
    private var output: [UInt8] = []
    private var sent = 0
    /// When the phase is over without progress, and in any case, milliseconds.
    private var idleEnd: Int
    private var end: Int

    init(_ descriptor: Int32, number: Int, now: Int) {
        self.descriptor = descriptor
        self.number = number
        idleEnd = now + WatchLimits.patience
        end = idleEnd
    }

    /// The events to wait for.
    var interest: Int16 {
        switch phase {
        case .reading, .leaving: Int16(POLLIN)
        // Only its end, which is always told.
        case .changing: 0
        case .writing: Int16(POLLOUT)
        // What a follower sends is only looked at for its end.
        case .following: Int16(sent < output.count ? POLLIN | POLLOUT : POLLIN)
        }
    }

    /// The request for a change that is being made.
    var change: HTTPRequest? {
        if case .changing(let request) = phase { request } else { nil }
    }

    var isFollowing: Bool { if case .following = phase { true } else { false } }

    /// When something has to have happened, milliseconds.
    var deadline: Int { min(idleEnd, end) }

    // MARK: reading

    /// Reads what has arrived; false if the connection is over.
    mutating func receive(now: Int) -> Bool {
        var room = [UInt8](repeating: 0, count: 4096)
        let most = min(room.count, max(1, WatchLimits.request - input.count))
        let count = recv(descriptor, &room, most, Int32(MSG_DONTWAIT))
        if count < 0 { return errno == EAGAIN || errno == EINTR }
        guard count > 0 else { return false }
        guard case .reading = phase else { return true }
        // A new request has to arrive within the usual time.
        if input.isEmpty { setPatience(WatchLimits.patience, now) }
        input += room[..<count]
        return true
    }

    /// The next request of what was read; nil if it is not whole.
    mutating func next() -> HTTPParser.Finding? {
        guard case .reading = phase, !input.isEmpty else { return nil }
        let finding = HTTPParser.parse(input)
        if case .incomplete = finding { return nil }
        if case .request(_, let length) = finding { input.removeFirst(length) }
        return finding
    }

    /// Waits for the answer to a change that is allowed.
    mutating func wait(for request: HTTPRequest, now: Int) {
        isKnown = true
        phase = .changing(request)
        setPatience(WatchLimits.change, now)
    }

    // MARK: writing

    mutating func answer(
        _ response: HTTPResponse, to request: HTTPRequest?, isAllowed: Bool, now: Int
    ) {
        let isLast = !(request?.isPersistent ?? false) || !isAllowed
        let withBody = request?.method != .head
        output = response.encoded(withBody: withBody, isLast: isLast)
        sent = 0
        isKnown = isKnown || isAllowed
        if response.isStream, withBody {
            phase = .following
            input = []
            end = .max
            idleEnd = .max
        } else {
            phase = .writing(isLast: isLast)
            end = now + WatchLimits.answer
            idleEnd = now + WatchLimits.writing
        }
    }

    /// Adds events; false if the follower is too slow.
    mutating func add(_ events: [UInt8], now: Int) -> Bool {
        if sent == output.count {
            output = []
            sent = 0
            idleEnd = now + WatchLimits.writing
        } else if sent > 1 << 16 {
            output.removeFirst(sent)
            sent = 0
        }
        guard output.count - sent + events.count <= WatchLimits.backlog else { return false }
        output += events
        return true
    }

    /// Writes as much as the system takes; false if the connection is over.
    mutating func transmit(now: Int) -> Bool {
        while sent < output.count {
            let count = output.withUnsafeBytes { bytes in
                send(
                    descriptor, bytes.baseAddress.map { $0 + sent }, bytes.count - sent,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            guard count > 0 else { return errno == EAGAIN || errno == EINTR }
            sent += count
            idleEnd = now + WatchLimits.writing
        }
        finish(now: now)
        return true
    }

    /// Goes on after everything was written.
    private mutating func finish(now: Int) {
        output = []
        sent = 0
        switch phase {
        case .writing(isLast: true):
            // Closed at once, what the peer still sends would break the connection before it has
            // read the answer.
            phase = .leaving
            shutdown(descriptor, Int32(SHUT_WR))
            setPatience(1000, now)
        case .writing(isLast: false):
            phase = .reading
            setPatience(input.isEmpty ? WatchLimits.idle : WatchLimits.patience, now)
        case .following: idleEnd = .max
        case .reading, .changing, .leaving: break
        }
    }

    private mutating func setPatience(_ time: Int, _ now: Int) {
        idleEnd = now + time
        end = idleEnd
    }
}
