internal import PathTransport
internal import Synchronization

/// Lets tasks wait for what a driver's thread reports.
///
/// A signal that comes before its waiter is kept, so that none is missed; every waiter checks its
/// condition again.
final class EventHub: Sendable {
    /// What can be waited for.
    enum Signal: Hashable, Sendable {
        case established
        case readable(StreamID)
        case writable(StreamID)
        case delivered(StreamID)
        case opened
        case message

        /// The stream that it is about, if it is about one.
        var stream: StreamID? {
            switch self {
            case .readable(let stream), .writable(let stream), .delivered(let stream): stream
            case .established, .opened, .message: nil
            }
        }
    }

    private struct State {
        var waiting: [Signal: [CheckedContinuation<Void, Never>]] = [:]
        var pending: Set<Signal> = []
        /// Streams that somebody holds: signals of others have no waiter to be kept for.
        var streams: Set<StreamID> = []
        var reason: CloseReason?
    }

    private let state = Mutex(State())

    /// Why the connection ended, if it did.
    var reason: CloseReason? { state.withLock { $0.reason } }

    func handle(_ event: ConnectionEvent) {
        switch event {
        case .established: signal(.established)
        case .streamReadable(let stream):
            signal(.readable(stream))
            signal(.opened)
        case .streamReset(let stream, _): signal(.readable(stream))
        case .streamWritable(let stream), .streamStopped(let stream, _):
            signal(.writable(stream))
            signal(.delivered(stream))
        case .streamDelivered(let stream): signal(.delivered(stream))
        case .messageReceived: signal(.message)
        case .closed(let reason): end(reason)
        case .pathChanged, .pathMoved, .messageExpired, .keysChanged, .policyGuard, .modelReplaced,
            .modelRefused:
            break
        }
    }

    private func signal(_ signal: Signal) {
        let waiters: [CheckedContinuation<Void, Never>] = state.withLock { state in
            if let waiters = state.waiting.removeValue(forKey: signal) { return waiters }
            if let stream = signal.stream, !state.streams.contains(stream) { return [] }
            state.pending.insert(signal)
            return []
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Ends every wait, now and from now on.
    func end(_ reason: CloseReason) {
        let waiters = state.withLock { state in
            state.reason = state.reason ?? reason
            let all = state.waiting.values.flatMap { $0 }
            state.waiting.removeAll()
            return all
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns after the signal, or at once when it came before or the connection has ended.
    func wait(for signal: Signal) async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.reason != nil || state.pending.remove(signal) != nil { return true }
                state.waiting[signal, default: []].append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    /// From now on signals of the stream are kept for whoever waits for them later.
    func hold(_ stream: StreamID) { state.withLock { _ = $0.streams.insert(stream) } }

    /// Nobody holds the stream any more.
    func forget(_ stream: StreamID) {
        state.withLock { state in
            state.streams.remove(stream)
            for signal in [Signal.readable(stream), .writable(stream), .delivered(stream)] {
                state.pending.remove(signal)
            }
        }
    }
}
