internal import PathTransport
internal import Synchronization

/// Lets tasks wait for events of a driver's thread.
///
/// A signal that comes before its waiter is kept, so that none is missed; every waiter rechecks its
/// condition.
final class EventHub: Sendable {
    /// An event that tasks can wait for.
    enum Signal: Hashable, Sendable {
        case established
        case readable(StreamID)
        case writable(StreamID)
        case delivered(StreamID)
        case opened
        case message
        /// Only the end of the connection ends such a wait.
        case ended

        /// The stream of the signal, if it has one.
        var stream: StreamID? {
            switch self {
            case .readable(let stream), .writable(let stream), .delivered(let stream): stream
            case .established, .opened, .message, .ended: nil
            }
        }

        /// Whether the signal stays true for every later waiter.
        var isLasting: Bool {
            switch self {
            case .established, .delivered: true
            case .readable, .writable, .opened, .message, .ended: false
            }
        }
    }

    private struct Waiter {
        var number: Int
        var continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var waiting: [Signal: [Waiter]] = [:]
        var pending: Set<Signal> = []
        /// Streams with an owner; signals of others have no waiter and are not kept.
        var streams: Set<StreamID> = []
        /// Who is told at once what happens to a stream; nobody waits for such a stream.
        var observers: [StreamID: @Sendable (SessionStream.News) -> Void] = [:]
        /// Takes messages at once; returns false if it leaves them to whoever waits for them.
        var messageObserver: (@Sendable () -> Bool)?
        var reason: CloseReason?
        var next = 0

        /// Whether a signal came before; removes it unless it is lasting.
        mutating func take(_ signal: Signal) -> Bool {
            signal.isLasting ? pending.contains(signal) : pending.remove(signal) != nil
        }
    }

    private let state = Mutex(State())

    /// Why the connection ended, if it did.
    var reason: CloseReason? { state.withLock { $0.reason } }

    func handle(_ event: ConnectionEvent) {
        switch event {
        case .established: signal(.established)
        case .streamReadable(let stream):
            if tell(stream, .changed) { return }
            signal(.readable(stream))
            signal(.opened)
        case .streamReset(let stream, _):
            if !tell(stream, .changed) { signal(.readable(stream)) }
        case .streamWritable(let stream):
            if !tell(stream, .changed) { signal(.writable(stream)) }
        case .streamStopped(let stream, _):
            if tell(stream, .stopped) { return }
            signal(.writable(stream))
            signal(.delivered(stream))
        case .streamDelivered(let stream): signal(.delivered(stream))
        case .messageReceived:
            if let observer = state.withLock({ $0.messageObserver }), observer() { return }
            signal(.message)
        case .closed(let reason): end(reason)
        case .pathChanged, .pathMoved, .messageDelivered, .messageExpired, .keysChanged,
            .policyGuard, .modelReplaced, .modelRefused:
            break
        }
    }

    /// Tells the observer of a stream; false if it has none.
    private func tell(_ stream: StreamID, _ news: SessionStream.News) -> Bool {
        guard let observer = state.withLock({ $0.observers[stream] }) else { return false }
        observer(news)
        return true
    }

    private func signal(_ signal: Signal) {
        let waiters: [Waiter] = state.withLock { state in
            let waiters = state.waiting.removeValue(forKey: signal) ?? []
            let isHeld = signal.stream.map { state.streams.contains($0) } ?? true
            if isHeld, waiters.isEmpty || signal.isLasting { state.pending.insert(signal) }
            return waiters
        }
        for waiter in waiters { waiter.continuation.resume() }
    }

    /// Ends a wait for a signal, or the next one, so that its condition is checked again.
    func wake(_ signal: Signal) { self.signal(signal) }

    /// Ends every wait, now and later.
    func end(_ reason: CloseReason) {
        let (waiters, observers) = state.withLock { state in
            state.reason = state.reason ?? reason
            let all = (state.waiting.values.flatMap { $0 }, Array(state.observers.values))
            state.waiting.removeAll()
            state.observers.removeAll()
            state.messageObserver = nil
            return all
        }
        for waiter in waiters { waiter.continuation.resume() }
        for observer in observers { observer(.ended) }
    }

    /// Returns after the signal, at once if it came before or the connection has ended, and when
    /// the task is cancelled.
    func wait(for signal: Signal) async {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    // If the task is cancelled after this, its handler below finds the waiter.
                    if Task.isCancelled || state.reason != nil || state.take(signal) {
                        return true
                    }
                    state.waiting[signal, default: []].append(
                        Waiter(number: number, continuation: continuation))
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let waiter: Waiter? = state.withLock { state in
                guard let place = state.waiting[signal]?.firstIndex(where: { $0.number == number })
                else { return nil }
                let waiter = state.waiting[signal]?.remove(at: place)
                if state.waiting[signal]?.isEmpty == true { state.waiting[signal] = nil }
                return waiter
            }
            waiter?.continuation.resume()
        }
    }

    /// From now on, signals of the stream are kept for later waiters.
    func hold(_ stream: StreamID) { state.withLock { _ = $0.streams.insert(stream) } }

    /// Tells an observer of everything that happens to the stream from now on.
    func observe(
        _ stream: StreamID, _ observer: @escaping @Sendable (SessionStream.News) -> Void
    ) {
        let hasEnded = state.withLock { state in
            if state.reason == nil { state.observers[stream] = observer }
            return state.reason != nil
        }
        if hasEnded { observer(.ended) }
    }

    /// Tells `observer` at once that messages have arrived; whoever waits for messages hears of them
    /// only if it returns false.
    func observeMessages(_ observer: @escaping @Sendable () -> Bool) {
        state.withLock { if $0.reason == nil { $0.messageObserver = observer } }
    }

    /// Notes that the stream has no owner any more.
    func forget(_ stream: StreamID) {
        state.withLock { state in
            state.streams.remove(stream)
            state.observers[stream] = nil
            for signal in [Signal.readable(stream), .writable(stream), .delivered(stream)] {
                state.pending.remove(signal)
            }
        }
    }
}
