public import PathLearning
public import PathTelemetry

/// How a connection ended.
public enum CloseReason: Hashable, Sendable {
    /// This side closed it.
    case local
    /// The peer closed it, with a code (zero means "done") and a text that is safe to show.
    case peer(code: UInt64, reason: String)
    /// Nothing authentic arrived for the idle time-out.
    case idleTimeout
    /// The server does not know the connection any more, usually because it was restarted.
    case forgotten
    /// The handshake was not answered in time.
    case handshakeTimeout
    /// The server refuses this client.
    case refused(RefusalReason)
    /// The server's answer does not fit its key or the pre-shared key.
    case handshakeFailed
    /// The peer broke the protocol.
    case protocolViolation(String)
    /// The cryptography library failed.
    case cryptography(String)

    /// Whether this side closed the connection, or the peer did with code zero.
    public var isOrderly: Bool {
        switch self {
        case .local: true
        case .peer(let code, _): code == 0
        default: false
        }
    }
}

/// Why a path changed its state.
public enum PathChange: UInt8, Sendable, CaseIterable {
    case added, validated, silent, probeTimeout, answered, restored, gaveUp, removed, peerRequest
    case socketError, ownRequest

    /// The word used in tables, JSON and traces.
    public var name: String {
        switch self {
        case .added: "added"
        case .validated: "validated"
        case .silent: "silent while others answer"
        case .probeTimeout: "probe time-out"
        case .answered: "answered"
        case .restored: "restored"
        case .gaveUp: "no answer"
        case .removed: "removed"
        case .peerRequest: "peer request"
        case .socketError: "socket error"
        case .ownRequest: "own request"
        }
    }
}

/// Events for the application and the recorder.
public enum ConnectionEvent: Sendable {
    case established
    case pathChanged(PathID, from: PathState, to: PathState, cause: PathChange, at: Instant)
    /// The peer's address of a usable path changed (NAT rebinding) and was validated.
    case pathMoved(PathID, to: SocketAddress, at: Instant)
    /// Bytes, or the end of the stream, can be read.
    case streamReadable(StreamID)
    /// A write that was cut short can continue.
    case streamWritable(StreamID)
    /// The peer has all bytes and the end of the stream.
    case streamDelivered(StreamID)
    /// The peer abandoned its sending half.
    case streamReset(StreamID, code: UInt64)
    /// The peer asks this side to stop sending.
    case streamStopped(StreamID, code: UInt64)
    case messageReceived
    /// The peer has all of a message of this side.
    case messageDelivered(number: UInt64)
    /// A message of this side was lost: it was not delivered within its deadline, or it tolerates
    /// loss and a part was lost.
    case messageExpired(number: UInt64)
    case keysChanged(generation: Int, at: Instant)
    /// The guard of the learned policy demoted or restored its models.
    case policyGuard(GuardEvent)
    /// The policy now uses another model, whose file has this hash (zero without one); it is another
    /// policy if it is named.
    case modelReplaced(hash: UInt64, policy: String?, at: Instant)
    /// An offered model cannot be used; the policy keeps the one it has.
    case modelRefused(reason: String, at: Instant)
    case closed(CloseReason)
}
