internal import PathNetwork
internal import PathTelemetry

/// Sends a last answer and closes, but not before the application had time to read it.
///
/// Closing while bytes of the application are unread would send a reset, which may overtake the
/// answer (RFC 9112, section 9.6). *Loop's turn.*
final class Farewell: LoopMember {
    private static let patience = TimeDelta.seconds(2)
    private let socket: TCPSocket

    init(_ socket: consuming TCPSocket) { self.socket = socket }

    /// Sends the answer, which fits into the system's buffer of a new connection, and joins the
    /// loop until the application closes.
    func start(_ answer: [UInt8], _ loop: FlowLoop) {
        _ = answer.withUnsafeBytes { socket.write($0) }
        socket.finish()
        loop.add(self)
        setDeadline(loop.now + Farewell.patience, loop)
        if !loop.watch(socket.descriptor, for: self) { loop.remove(self) }
    }

    override func takeTurn(_ loop: FlowLoop) {
        if loop.now >= deadline { return loop.remove(self) }
        // What the application still sends is of no use; a bounded part of it is read away.
        for _ in 0..<64 {
            switch socket.read(into: loop.scratch) {
            case .bytes: continue
            case .wouldBlock: return
            case .end, .failed: return loop.remove(self)
            }
        }
        loop.schedule(self)
    }
}
