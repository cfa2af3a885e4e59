internal import Glibc
public import PathTelemetry
public import PathTransport

/// Asks a server for any answer over one way, without a key.
///
/// It sends the first message of a handshake with a wrong authenticator, which every server refuses
/// in eight bytes (docs/protocol.md, section 2.1): so datagrams of 1,200 bytes arrive there, and
/// answers come back.
public struct ReachProbe: Sendable {
    /// What came of it.
    public enum Answer: Hashable, Sendable {
        /// A pathwise server answered, after this time.
        case server(TimeDelta)
        /// The network or the host reports that the server or its port is unreachable, with the
        /// errno.
        case unreachable(Int32)
        /// Nothing came.
        case silence
    }

    public private(set) var answer = Answer.silence
    /// The address that was asked, or the one that answered.
    public private(set) var remote: SocketAddress
    /// The MTU that a router reported for a larger datagram, bytes of IP packet; nil if none did.
    public private(set) var reportedMTU: Int?

    private static let attempts = 3
    private static let patience = TimeDelta.milliseconds(700)

    /// Asks each of the plan's addresses up to three times until one answers, and then tries a
    /// datagram of the interface's MTU.
    ///
    /// - Parameter mtu: of the interface, bytes of IP packet.
    public init?(_ plan: PathPlan, mtu: Int) throws(NetworkError) {
        guard let first = plan.ways.first else { return nil }
        remote = first.remote
        for way in plan.ways {
            remote = way.remote
            try ask(way, plan.interface, mtu: mtu)
            if case .server = answer { return }
        }
    }

    private mutating func ask(
        _ way: PathPlan.Way, _ interface: String?, mtu: Int
    ) throws(NetworkError) {
        var socket: UDPSocket
        do throws(NetworkError) {
            socket = try UDPSocket(local: way.local, interface: interface)
        } catch {
            guard interface != nil, error.code == EPERM else { throw error }
            socket = try UDPSocket(local: way.local)
        }
        var batch = try ReceiveBatch()
        for _ in 0..<ReachProbe.attempts {
            if try ask(&socket, &batch) { break }
        }
        guard case .server = answer else { return }
        let headers = remote.family == .ipv4 ? 28 : 48
        guard mtu - headers > ServerQuestion.length else { return }
        let large = [UInt8](repeating: 0, count: min(mtu, 9000) - headers)
        if case .tooBig(let limit) = ReachProbe.send(large, to: remote, &socket) {
            reportedMTU = limit
            return
        }
        let found = unsafe ReachProbe.listen(
            until: MonotonicClock.now() + .milliseconds(500), &socket, &batch
        ) { _ in false }
        if case .fault(let fault) = found, case .tooBig(let limit) = fault.kind {
            reportedMTU = limit
        }
    }

    /// Asks once; returns whether the server or the network answered.
    private mutating func ask(
        _ socket: inout UDPSocket, _ batch: inout ReceiveBatch
    ) throws(NetworkError) -> Bool {
        let start = MonotonicClock.now()
        let question = ServerQuestion()
        if case .unreachable(let code) = ReachProbe.send(question.bytes, to: remote, &socket) {
            answer = .unreachable(code)
            return true
        }
        let found = unsafe ReachProbe.listen(
            until: start + ReachProbe.patience, &socket, &batch
        ) { unsafe question.isAnswer($0) }
        switch found {
        case .answered: answer = .server(MonotonicClock.now() - start)
        case .fault(let fault): answer = .unreachable(fault.code)
        case .nothing: return false
        }
        return true
    }

    private enum Found {
        case answered
        case fault(SocketFault)
        case nothing
    }

    private static func send(
        _ bytes: [UInt8], to remote: SocketAddress, _ socket: inout UDPSocket
    ) -> SendResult {
        unsafe bytes.withUnsafeBytes {
            unsafe socket.send($0, segmentSize: $0.count, to: remote)
        }
    }

    /// Waits for a datagram that is an answer, or for a report of the network.
    private static func listen(
        until end: Instant, _ socket: inout UDPSocket, _ batch: inout ReceiveBatch,
        isAnswer: (UnsafeRawBufferPointer) -> Bool
    ) -> Found {
        while true {
            let left = (end - MonotonicClock.now()).milliseconds
            guard left > 0 else { return .nothing }
            var wait = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
            _ = unsafe poll(&wait, 1, Int32(left.rounded(.up)))
            var fault: SocketFault?
            socket.drainFaults { fault = fault ?? $0 }
            if let fault { return .fault(fault) }
            guard case .received = socket.receive(into: &batch) else { continue }
            for index in 0..<batch.count {
                let bytes = unsafe UnsafeRawBufferPointer(batch.message(index).bytes)
                if unsafe isAnswer(bytes) { return .answered }
            }
        }
    }
}
