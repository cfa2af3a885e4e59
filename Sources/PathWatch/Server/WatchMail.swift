internal import Glibc
internal import Synchronization

/// Events, and answers to changes, on their way to the server's thread.
///
/// *Any thread.*
final class WatchMail: Sendable {
    /// What has come since the last time.
    struct Letters {
        var events: [UInt8] = []
        /// Answers, each with the number of the connection that waits for it.
        var answers: [(number: Int, response: HTTPResponse)] = []
    }
    private struct State {
        var letters = Letters()
        var followers = 0
        /// Wakes the server's thread; -1 when it is closed.
        var wakeEnd: Int32
    }
    private let state: Mutex<State>

    /// - Parameter wakeEnd: of a pipe; it is closed with this.
    init(wakeEnd: Int32) { state = Mutex(State(wakeEnd: wakeEnd)) }

    /// Hands events over for those who follow them.
    func put(_ events: [UInt8]) {
        state.withLock { state in
            // Nobody follows, or the thread is far behind: they learn the state at the next tick.
            guard state.followers > 0, state.letters.events.count < WatchLimits.backlog else {
                return
            }
            state.letters.events += events
            wake(state.wakeEnd)
        }
    }

    /// Hands an answer over for the connection with this number; nothing happens after `close`.
    func put(_ response: HTTPResponse, to number: Int) {
        state.withLock { state in
            guard state.wakeEnd >= 0 else { return }
            state.letters.answers.append((number, response))
            wake(state.wakeEnd)
        }
    }

    private func wake(_ end: Int32) {
        guard end >= 0 else { return }
        var byte: UInt8 = 1
        _ = write(end, &byte, 1)
    }

    func take() -> Letters {
        state.withLock { state in
            defer { state.letters = Letters() }
            return state.letters
        }
    }

    var isFollowed: Bool { state.withLock { $0.followers > 0 } }

    func setFollowers(_ count: Int) { state.withLock { $0.followers = count } }

    /// Ends the server's thread.
    func close() {
        state.withLock { state in
            if state.wakeEnd >= 0 { Glibc.close(state.wakeEnd) }
            state.wakeEnd = -1
        }
    }
}
