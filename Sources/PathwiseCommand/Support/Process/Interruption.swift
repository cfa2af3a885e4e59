import Glibc
import PathNetwork
import PathTelemetry
import Synchronization

/// Ctrl-C, SIGTERM and SIGHUP: the first requests an orderly end, a second Ctrl-C or SIGTERM ends the
/// program at once.
///
/// Signals that follow within a moment are one request: whoever ends a program and the group of its
/// processes sends it two.
enum Interruption {
    fileprivate static let state = InterruptionState()

    /// Installs the handlers; before that a signal ends the program.
    static func install() {
        let isFirst = state.open()
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { received($0) }
        action.sa_flags = SA_RESTART
        sigemptyset(&action.sa_mask)
        if HangUp.isWanted { sigaction(SIGHUP, &action, nil) }
        guard isFirst else { return }
        sigaction(SIGINT, &action, nil)
        sigaction(SIGTERM, &action, nil)
    }

    /// The received signal; nil if there was none.
    static var signal: Int32? {
        let number = state.signal.load(ordering: .acquiring)
        return number == 0 ? nil : number
    }

    /// Calls `body` with the signal's number, on its own thread, when one comes or has come.
    static func whenInterrupted(_ body: @escaping @Sendable (Int32) -> Void) {
        install()
        state.add(body)
    }

    /// Yields the signal's number when one comes or has come, and ends.
    static var signals: AsyncStream<Int32> {
        AsyncStream { continuation in
            whenInterrupted { signal in
                continuation.yield(signal)
                continuation.finish()
            }
        }
    }
}

/// Runs in the signal handler: atomics, `write` and `_exit` only.
private func received(_ signal: Int32) {
    let state = Interruption.state
    // A closing terminal may send SIGHUP twice, so it never ends the program at once.
    if signal != SIGHUP, !state.note(signal) {
        if state.isOneRequest { return }
        _exit(128 + signal)
    }
    let kept = errno
    var byte = UInt8(truncatingIfNeeded: signal)
    _ = write(state.writeEnd.load(ordering: .acquiring), &byte, 1)
    errno = kept
}

private final class InterruptionState: Sendable {
    /// Within this time a second signal belongs to the first.
    private static let moment = TimeDelta.milliseconds(300)

    let signal = Atomic<Int32>(0)
    /// When the first came, on the monotonic clock in nanoseconds.
    private let time = Atomic<Int64>(0)
    let writeEnd = Atomic<Int32>(-1)
    private let isOpen = Atomic<Bool>(false)
    private let listeners = Mutex<[@Sendable (Int32) -> Void]>([])

    /// Makes the pipe and its reader; returns false if they exist already.
    func open() -> Bool {
        guard !isOpen.exchange(true, ordering: .acquiringAndReleasing) else { return false }
        var ends: (Int32, Int32) = (-1, -1)
        let result = withUnsafeMutableBytes(of: &ends) {
            pipe($0.assumingMemoryBound(to: Int32.self).baseAddress)
        }
        guard result == 0 else { return true }
        for end in [ends.0, ends.1] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        writeEnd.store(ends.1, ordering: .releasing)
        let readEnd = ends.0
        try? WorkerThread(named: "pathwise-signal") { self.wait(on: readEnd) }.detach()
        return true
    }

    /// Notes a signal that ends the program; returns whether it is the first.
    func note(_ number: Int32) -> Bool {
        let isFirst = signal.compareExchange(
            expected: 0, desired: number, ordering: .acquiringAndReleasing
        ).exchanged
        if isFirst { time.store(MonotonicClock.now().nanoseconds, ordering: .releasing) }
        return isFirst
    }

    /// Whether the first signal came a moment ago.
    var isOneRequest: Bool {
        let first = time.load(ordering: .acquiring)
        // Zero: its handler has not come that far.
        return first == 0
            || MonotonicClock.now() - Instant(nanoseconds: first) < InterruptionState.moment
    }

    private func wait(on descriptor: Int32) {
        while true {
            var byte: UInt8 = 0
            guard read(descriptor, &byte, 1) == 1 else {
                if errno == EINTR { continue }
                return
            }
            if Int32(byte) == SIGHUP {
                guard HangUp.endsProgram() else { continue }
                _ = note(SIGHUP)
            }
            tell()
        }
    }

    func add(_ body: @escaping @Sendable (Int32) -> Void) {
        listeners.withLock { $0.append(body) }
        if signal.load(ordering: .acquiring) != 0 { tell() }
    }

    /// Calls each listener once.
    private func tell() {
        let number = signal.load(ordering: .acquiring)
        let waiting = listeners.withLock { listeners in
            let all = listeners
            listeners = []
            return all
        }
        for listener in waiting { listener(number) }
    }
}
