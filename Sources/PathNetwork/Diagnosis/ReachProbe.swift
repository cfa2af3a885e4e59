internal import Glibc
public import PathTelemetry
public import PathTransport

/// Asks the addresses of a server for any answer over one path, without a key.
///
/// It sends first messages of a handshake that every server refuses (docs/protocol.md, section 2.1):
/// so datagrams of 1,200 bytes arrive there, and answers come back. Those of this version tell the
/// address and the mark of congestion that they saw. All addresses of one family are asked from one
/// socket, so that they show whether a translator gives it one address or several.
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

    /// One address of the server.
    public struct Way: Sendable {
        public let remote: SocketAddress
        /// The address of the socket; unspecified if the system chooses.
        public let local: SocketAddress
        public var answer = Answer.silence
        /// What the server saw; nil without an answer, or if the server is older.
        public var report: ServerReport?
        /// The MTU that a router reported for a larger datagram, bytes of IP packet; nil if none
        /// did.
        public var reportedMTU: Int?
        /// What became of datagrams with the mark ECT(0), and with CE (RFC 3168, section 5).
        public var capable = MarkCount()
        public var congested = MarkCount()

        public init(remote: SocketAddress, local: SocketAddress) {
            self.remote = remote
            self.local = local
        }
    }

    /// How datagrams that left with one mark arrived.
    public struct MarkCount: Hashable, Sendable {
        public var sent = 0
        /// By the mark that the server saw: none, ECT(1), ECT(0), CE.
        public var seen = [0, 0, 0, 0]

        public init() {}

        /// How many were answered.
        public var arrived: Int { seen.reduce(0, +) }
    }

    /// The marks of datagrams: ECT(0) and CE.
    private static let marks: (capable: UInt8, congested: UInt8) = (2, 3)
    private static let attempts = 3
    private static let patience = TimeDelta.milliseconds(700)
    /// Datagrams of each mark.
    private static let marked = 5

    /// In the order of the plan.
    public private(set) var ways: [Way] = []
    /// How another socket looks to the first address that reported one; nil if none did.
    public private(set) var second: Way?

    /// Asks each of the plan's addresses up to three times, all at the same time; then tries those
    /// that answer with a datagram of the interface's MTU, with marks of congestion, and from another
    /// socket.
    ///
    /// - Parameters:
    ///   - plan: of the path.
    ///   - mtu: of the interface, bytes of IP packet.
    public init(_ plan: PathPlan, mtu: Int) throws(NetworkError) {
        var sockets: [SocketAddress: ProbeSocket] = [:]
        var used: [ProbeSocket] = []
        for way in plan.ways {
            let local = way.local ?? .any(way.remote.family, port: 0)
            let socket: ProbeSocket
            if let known = sockets[local] {
                socket = known
            } else {
                socket = try ProbeSocket(local, plan.interface)
                sockets[local] = socket
            }
            used.append(socket)
            ways.append(Way(remote: way.remote, local: socket.localAddress))
        }
        for _ in 0..<ReachProbe.attempts { ask(used) }
        for index in ways.indices {
            guard case .server = ways[index].answer else { continue }
            ways[index].reportedMTU = used[index].reportedMTU(to: ways[index].remote, mtu: mtu)
            guard ways[index].report?.mark != nil else { continue }
            let remote = ways[index].remote
            ways[index].capable = used[index].count(
                ReachProbe.marks.capable, ReachProbe.marked, to: remote)
            ways[index].congested = used[index].count(
                ReachProbe.marks.congested, ReachProbe.marked, to: remote)
        }
        guard let index = ways.firstIndex(where: { $0.report != nil }) else { return }
        let other = try ProbeSocket(ways[index].local.with(port: 0), plan.interface)
        var way = Way(remote: ways[index].remote, local: other.localAddress)
        var open = [other.send(to: way.remote)]
        other.listen(until: MonotonicClock.now() + ReachProbe.patience, &open)
        way.report = open[0].report
        second = way
    }

    /// Asks once where no answer has come, and waits for answers or reports of the network.
    private mutating func ask(_ used: [ProbeSocket]) {
        let start = MonotonicClock.now()
        var questions: [(way: Int, question: ProbeSocket.Question)] = []
        for (index, socket) in used.enumerated() where ways[index].answer == .silence {
            questions.append((index, socket.send(to: ways[index].remote)))
        }
        let end = start + ReachProbe.patience
        while questions.contains(where: { !$0.question.isOver }), MonotonicClock.now() < end {
            for (index, socket) in used.enumerated() {
                var open = questions.filter { used[$0.way] === socket }.map(\.question)
                guard used.firstIndex(where: { $0 === socket }) == index,
                    open.contains(where: { !$0.isOver })
                else { continue }
                let turn = MonotonicClock.now() + .milliseconds(20)
                socket.listen(until: min(end, turn), &open)
                var next = open.makeIterator()
                for place in questions.indices where used[questions[place].way] === socket {
                    if let question = next.next() { questions[place].question = question }
                }
            }
        }
        for (way, question) in questions {
            ways[way].report = question.report
            if let time = question.answeredAt {
                ways[way].answer = .server(time - question.sentAt)
            } else if let code = question.fault {
                ways[way].answer = .unreachable(code)
            }
        }
    }
}
