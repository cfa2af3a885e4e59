internal import PathNetwork
internal import PathTelemetry
internal import PathTransport
internal import Pathwise
internal import Synchronization

/// A reverse TCP forward: the peer listens, and this side connects.
///
/// *Any thread.*
final class ReverseForward: Sendable {
    let spec: ForwardSpec
    let ledger: FlowLedger
    private struct State {
        var lease: UInt64?
        var stream: SessionStream?
        var state = ForwardState.waiting
    }
    private let state = Mutex(State())

    /// - Parameters:
    ///   - spec: of the forward.
    ///   - ledger: counts its flows, and perhaps those of a forward that was here before.
    init(_ spec: ForwardSpec, ledger: FlowLedger) {
        self.spec = spec
        self.ledger = ledger
    }

    var current: ForwardState { state.withLock { $0.state } }

    /// Whether connections with this lease belong here.
    func holds(_ lease: UInt64) -> Bool { state.withLock { $0.lease == lease } }

    /// Time until the next attempt when the address is in use, perhaps by an earlier session whose
    /// process was killed.
    private static let pause = Duration.seconds(5)

    /// Asks the peer to listen, and holds the lease until the session or the task ends.
    func run(_ session: Session) async {
        while await runOnce(session) {
            guard (try? await Task.sleep(for: ReverseForward.pause)) != nil else { return }
        }
    }

    /// Returns whether another attempt may succeed.
    private func runOnce(_ session: Session) async -> Bool {
        do {
            let stream = try session.openStream()
            state.withLock { state in
                state.lease = stream.id.rawValue
                state.stream = stream
                state.state = .waiting
            }
            let transport: Opening.Transport = spec.kind == .udp ? .udp : .tcp
            try await stream.write(
                Opening.listen(transport, on: spec.listen, spec.options).encoded())
            let result = try await ReverseForward.result(of: stream)
            guard result.code == .ok else {
                end(.refused(result))
                return result.code == .addressInUse
            }
            state.withLock { $0.state = .listening(at: result.text) }
            // The lease is over when the peer ends the stream, or the session.
            while !(try await stream.read()).isEmpty {}
            end(.refused(ForwardResult(.unreachable, "the peer stopped listening")))
        } catch {
            end(.waiting)
        }
        return false
    }

    private static func result(of stream: SessionStream) async throws -> ForwardResult {
        var bytes: [UInt8] = []
        while true {
            if let (result, _) = try ForwardResult.read(bytes) { return result }
            let more = try await stream.read(atMost: ForwardResult.textLimit)
            guard !more.isEmpty else {
                throw ForwardError.malformedOpening("an opening without an answer")
            }
            bytes += more
        }
    }

    private func end(_ result: ForwardState) {
        let stream: SessionStream? = state.withLock { state in
            state.state = result
            state.lease = nil
            return state.stream.take()
        }
        stream?.cancel(code: 0)
    }
}
