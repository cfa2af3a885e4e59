import Glibc
import Synchronization

/// SIGHUP as a request to look at files again, as daemons understand it.
enum HangUp {
    private static let count = Atomic<UInt64>(0)

    /// Begins to listen; before it the signal ends the program.
    static func install() {
        _ = count.load(ordering: .relaxed)
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in HangUp.note() }
        action.sa_flags = SA_RESTART
        sigemptyset(&action.sa_mask)
        sigaction(SIGHUP, &action, nil)
    }

    /// How many signals came.
    static var requests: UInt64 { count.load(ordering: .relaxed) }

    /// Runs in the signal handler: one atomic addition.
    private static func note() { count.add(1, ordering: .relaxed) }
}
