import Glibc
import Synchronization

/// SIGHUP as a request to reload files, as for daemons.
enum HangUp {
    private static let count = Atomic<UInt64>(0)

    /// Installs the handler; before that the signal ends the program.
    static func install() {
        _ = count.load(ordering: .relaxed)
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in HangUp.note() }
        action.sa_flags = SA_RESTART
        sigemptyset(&action.sa_mask)
        sigaction(SIGHUP, &action, nil)
    }

    /// The number of signals so far.
    static var requests: UInt64 { count.load(ordering: .relaxed) }

    /// Runs in the signal handler: one atomic addition.
    private static func note() { count.add(1, ordering: .relaxed) }
}
