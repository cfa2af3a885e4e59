import Glibc

/// Handles standard streams that were closed at the start of the program.
enum StandardStreams {
    /// Replaces each closed standard stream by one that can be neither read nor written.
    ///
    /// Otherwise the next opened file or socket would get its number, and output for the user would
    /// go there. It must run before anything is opened.
    static func fill() {
        for (descriptor, flags) in [
            (STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY),
        ] where fcntl(descriptor, F_GETFD) < 0 {
            // This descriptor is the lowest free number.
            _ = open("/dev/null", flags)
        }
    }

    /// Makes a write to a pipe without a reader fail with an error, so that the transfer's peer is
    /// told; the signal would end the program silently.
    static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }
}

extension Console {
    /// - Parameter use: the intended output, as a clause that begins with `and`.
    /// - Throws: if it was closed before the program started.
    func checkIsOpen(
        for use: String = "and the report goes there; open it, or send it to a file"
    ) throws(CommandFailure) {
        let flags = fcntl(descriptor, F_GETFL)
        guard flags >= 0, flags & O_ACCMODE != O_RDONLY else {
            let name = descriptor == STDOUT_FILENO ? "standard output" : "standard error"
            throw CommandFailure("\(name) is closed, \(use)", .inputOutput)
        }
    }
}
