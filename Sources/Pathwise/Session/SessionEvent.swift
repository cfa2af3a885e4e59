public import PathLearning
public import PathTransport
internal import Synchronization

/// An event of a session, from `Session.events`.
public enum SessionEvent: Sendable {
    /// A path came into service, became silent, failed, returned to service, or was removed.
    case pathChanged(PathChangeReport)
    /// The policy was offered another model, and continues with it or with its own.
    case modelChanged(ModelChangeReport)
    /// The guard of the policy took the decisions from the models, or gave them back.
    case guardChanged(GuardEvent)
    /// The peer has all of a message of this side.
    case messageDelivered(number: UInt64)
    /// A message of this side was lost: its deadline passed before the peer had all of it, or it
    /// was not reliable and a part was lost.
    ///
    /// The peer may have it nevertheless, if only the acknowledgement is missing.
    case messageLost(number: UInt64)
    /// The session has ended; no event comes after this one.
    case closed(CloseReason)

    /// Whether it is about a message, as most are.
    var isOfMessage: Bool {
        switch self {
        case .messageDelivered, .messageLost: true
        case .pathChanged, .modelChanged, .guardChanged, .closed: false
        }
    }
}

/// Sends events to all listeners.
final class EventFeed: Sendable {
    /// Newest events that are kept for a slow listener.
    private static let limit = 4096

    private struct State {
        var listeners: [Int: AsyncStream<SessionEvent>.Continuation] = [:]
        /// Listeners to everything but messages.
        var changeListeners: [Int: AsyncStream<SessionEvent>.Continuation] = [:]
        /// Listeners to lost messages only.
        var lossListeners: [Int: AsyncStream<UInt64>.Continuation] = [:]
        var next = 0
        var reason: CloseReason?
    }
    private let state = Mutex(State())

    /// The events from now on.
    ///
    /// - Parameter withMessages: false leaves out messages that were delivered or lost, and their cost.
    func events(withMessages: Bool = true) -> AsyncStream<SessionEvent> {
        let (events, listener) = AsyncStream<SessionEvent>.makeStream(
            bufferingPolicy: .bufferingNewest(EventFeed.limit))
        let (number, reason) = state.withLock { state in
            state.next += 1
            guard state.reason == nil else { return (state.next, state.reason) }
            if withMessages {
                state.listeners[state.next] = listener
            } else {
                state.changeListeners[state.next] = listener
            }
            return (state.next, nil)
        }
        if let reason {
            listener.yield(.closed(reason))
            listener.finish()
        } else {
            listener.onTermination = { [weak self] _ in
                _ = self?.state.withLock { state in
                    state.listeners.removeValue(forKey: number)
                        ?? state.changeListeners.removeValue(forKey: number)
                }
            }
        }
        return events
    }

    /// The numbers of lost messages from now on, without the cost of other events.
    func losses() -> AsyncStream<UInt64> {
        let (losses, listener) = AsyncStream<UInt64>.makeStream(
            bufferingPolicy: .bufferingNewest(EventFeed.limit))
        let (number, hasEnded) = state.withLock { state in
            state.next += 1
            if state.reason == nil { state.lossListeners[state.next] = listener }
            return (state.next, state.reason != nil)
        }
        if hasEnded {
            listener.finish()
        } else {
            listener.onTermination = { [weak self] _ in
                _ = self?.state.withLock { $0.lossListeners.removeValue(forKey: number) }
            }
        }
        return losses
    }

    private func sendLoss(_ number: UInt64) {
        let lossListeners = state.withLock { Array($0.lossListeners.values) }
        for listener in lossListeners { listener.yield(number) }
    }

    /// Sends an event; after the end it sends none.
    func send(_ event: SessionEvent) {
        if case .messageLost(let number) = event { sendLoss(number) }
        var isLast = false
        var lossListeners: [AsyncStream<UInt64>.Continuation] = []
        let listeners = state.withLock { state in
            guard state.reason == nil else { return [AsyncStream<SessionEvent>.Continuation]() }
            var listeners = Array(state.listeners.values)
            if !event.isOfMessage { listeners += Array(state.changeListeners.values) }
            if case .closed(let reason) = event {
                isLast = true
                state.reason = reason
                state.listeners.removeAll()
                state.changeListeners.removeAll()
                lossListeners = Array(state.lossListeners.values)
                state.lossListeners.removeAll()
            }
            return listeners
        }
        for listener in lossListeners { listener.finish() }
        // Without the lock, because the end of a sequence takes it.
        for listener in listeners {
            listener.yield(event)
            if isLast { listener.finish() }
        }
    }
}
