internal import Glibc
internal import PathTelemetry
internal import PathTransport

/// A socket from which `ReachProbe` asks, and its questions.
final class ProbeSocket {
    /// A question that was sent, and what came of it.
    struct Question {
        let question = ServerQuestion()
        let remote: SocketAddress
        let sentAt = MonotonicClock.now()
        var answeredAt: Instant?
        var report: ServerReport?
        /// The errno of a report of the network.
        var fault: Int32?

        var isOver: Bool { answeredAt != nil || fault != nil }
    }

    private var socket: UDPSocket
    private var batch: ReceiveBatch

    /// Binds to the interface if this process is allowed to, else only to its address.
    init(_ local: SocketAddress, _ interface: String?) throws(NetworkError) {
        batch = try ReceiveBatch(capacity: 4)
        do throws(NetworkError) {
            socket = try UDPSocket(local: local, interface: interface)
        } catch {
            guard interface != nil, error.code == EPERM else { throw error }
            socket = try UDPSocket(local: local)
        }
    }

    var localAddress: SocketAddress { socket.localAddress }

    /// Sends a question.
    ///
    /// - Parameter mark: of ECN, two bits.
    func send(to remote: SocketAddress, mark: UInt8 = 0) -> Question {
        var question = Question(remote: remote)
        if case .unreachable(let code) = send(question.question.bytes, to: remote, mark: mark) {
            question.fault = code
        }
        return question
    }

    private func send(_ bytes: [UInt8], to remote: SocketAddress, mark: UInt8 = 0) -> SendResult {
        unsafe bytes.withUnsafeBytes {
            unsafe socket.send($0, segmentSize: $0.count, to: remote, trafficClass: mark)
        }
    }

    /// Waits until all questions are over, or for the time.
    func listen(until end: Instant, _ questions: inout [Question]) {
        while questions.contains(where: { !$0.isOver }) {
            guard wait(until: end) else { return }
            socket.drainFaults { fault in
                guard case .unreachable = fault.kind else { return }
                for index in questions.indices
                where !questions[index].isOver
                    && fault.destination.map({ $0 == questions[index].remote }) != false
                {
                    questions[index].fault = fault.code
                }
            }
            guard case .received = socket.receive(into: &batch) else { continue }
            let now = MonotonicClock.now()
            unsafe batch.forEachDatagram { bytes, _ in
                let bytes = unsafe UnsafeRawBufferPointer(bytes)
                for index in questions.indices where questions[index].answeredAt == nil {
                    guard unsafe questions[index].question.isAnswer(bytes) else { continue }
                    questions[index].answeredAt = now
                    questions[index].report = unsafe questions[index].question.report(in: bytes)
                }
            }
        }
    }

    /// Whether something came before the time is over.
    private func wait(until end: Instant) -> Bool {
        let left = (end - MonotonicClock.now()).milliseconds
        guard left > 0 else { return false }
        var wait = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
        _ = unsafe poll(&wait, 1, Int32(left.rounded(.up)))
        return true
    }

    /// Sends questions with a mark, and counts how they arrive.
    func count(_ mark: UInt8, _ number: Int, to remote: SocketAddress) -> ReachProbe.MarkCount {
        var count = ReachProbe.MarkCount()
        count.sent = number
        var questions = (0..<number).map { _ in send(to: remote, mark: mark) }
        listen(until: MonotonicClock.now() + .milliseconds(500), &questions)
        for question in questions {
            if let seen = question.report?.mark { count.seen[Int(seen & 3)] += 1 }
        }
        return count
    }

    /// The MTU that a router reports for a datagram of the interface's MTU; nil if none does.
    func reportedMTU(to remote: SocketAddress, mtu: Int) -> Int? {
        let headers = remote.family.headerBytes
        guard mtu - headers > ServerQuestion.length else { return nil }
        let large = [UInt8](repeating: 0, count: min(mtu, 9000) - headers)
        if case .tooBig(let limit) = send(large, to: remote) { return limit }
        let end = MonotonicClock.now() + .milliseconds(300)
        var found: Int?
        while found == nil, wait(until: end) {
            socket.drainFaults { fault in
                if case .tooBig(let limit) = fault.kind { found = found ?? limit }
            }
            _ = socket.receive(into: &batch)
        }
        return found
    }
}
