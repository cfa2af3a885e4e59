import Glibc

/// What the program does about standard streams that it was started without.
enum StandardStreams {
    /// Puts something that can be neither read nor written in the place of each that is closed.
    ///
    /// Else the next file or socket that is opened gets its number, and what is meant for the
    /// user goes there. Has to run before anything is opened.
    static func fill() {
        for (descriptor, flags) in [
            (STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY),
        ] where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest number that is free is this one.
            _ = open("/dev/null", flags)
        }
    }

    /// A pipe whose reader has gone is an error of the call that writes to it, and the transfer's
    /// other side is told; the signal would end the program without a word.
    static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }
}

extension Console {
    /// - Parameter use: what is to be written to it, as a sentence that begins with `and`.
    /// - Throws: when it was closed before the program began.
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
