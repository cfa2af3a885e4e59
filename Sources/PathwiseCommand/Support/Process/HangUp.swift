import Glibc
import Synchronization

/// SIGHUP: the end of the terminal, or a request to reload files, as for daemons.
///
/// A program whose terminal has gone ends as by SIGTERM. Without a terminal, or while it is still
/// there, the signal asks for a reload if the command has files to reload, and ends it if not. A
/// program that was started with the signal ignored (nohup) is not ended by it.
enum HangUp {
    private static let count = Atomic<UInt64>(0)
    /// Requests that nobody has taken yet count as one.
    private static let news = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    private static let reloads = Atomic<Bool>(false)
    private static let wasIgnored: Bool = {
        var action = sigaction()
        sigaction(SIGHUP, nil, &action)
        // SIG_IGN.
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }()
    private static let hadTerminal = hasTerminal

    /// Takes the signal as a request to reload from now on.
    static func install() {
        reloads.store(true, ordering: .releasing)
        Interruption.install()
    }

    /// The number of requests so far.
    static var requests: UInt64 { count.load(ordering: .relaxed) }

    /// An element for each request since the start of the program; one task may wait for them.
    static var all: AsyncStream<Void> { news.stream }

    /// Whether the signal is handled at all; looks at what the program was started with.
    static var isWanted: Bool {
        _ = hadTerminal
        return !wasIgnored || reloads.load(ordering: .acquiring)
    }

    /// Whether the signal ends the program; a request is counted if not.
    ///
    /// The shell of a terminal that closes may send the signal a moment before the terminal is gone,
    /// so this waits.
    static func endsProgram() -> Bool {
        guard reloads.load(ordering: .acquiring) else { return true }
        usleep(100_000)
        guard wasIgnored || !hadTerminal || hasTerminal else { return true }
        count.add(1, ordering: .relaxed)
        news.continuation.yield()
        return false
    }

    /// Whether the program has a controlling terminal.
    private static var hasTerminal: Bool {
        let descriptor = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        close(descriptor)
        return true
    }
}
