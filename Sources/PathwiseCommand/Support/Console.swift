import Glibc

/// Standard output or standard error, and properties of its reader.
struct Console: Sendable {
    static let standardOutput = Console(descriptor: STDOUT_FILENO, name: "standard output")
    static let standardError = Console(descriptor: STDERR_FILENO, name: "standard error")

    let descriptor: Int32
    private let name: String

    /// Whether it is a terminal and not a file or a pipe.
    var isTerminal: Bool { isatty(descriptor) == 1 }

    /// Whether to use colours: on a terminal that supports them, unless NO_COLOR is set.
    var isColoured: Bool {
        guard isTerminal else { return false }
        if let choice = getenv("NO_COLOR"), choice.pointee != 0 { return false }
        guard let terminal = getenv("TERM") else { return false }
        return String(cString: terminal) != "dumb"
    }

    /// Columns of the terminal; nil if there is no terminal.
    var width: Int? {
        var size = winsize()
        guard isTerminal, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
            return nil
        }
        return Int(size.ws_col)
    }

    /// Rows of the terminal; nil if there is no terminal.
    var height: Int? {
        var size = winsize()
        guard isTerminal, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0 else {
            return nil
        }
        return Int(size.ws_row)
    }

    /// Writes all of the text.
    func write(_ text: String) throws(CommandFailure) {
        var text = text
        let code = text.withUTF8 { writeAll(UnsafeRawBufferPointer($0)) }
        try check(code)
    }

    /// Writes all of the bytes.
    func write(_ bytes: [UInt8]) throws(CommandFailure) {
        try check(bytes.withUnsafeBytes { writeAll($0) })
    }

    /// The text in a style, if colours are used.
    func styled(_ text: String, _ style: Style) -> String {
        isColoured ? "\u{1b}[\(style.rawValue)m\(text)\u{1b}[0m" : text
    }

    /// Styles of terminal text, by their SGR numbers (ECMA-48, section 8.3.117).
    enum Style: Int {
        case bold = 1
        case faint = 2
        case red = 31
        case green = 32
        case yellow = 33
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer) -> Int32 {
        var done = 0
        while done < bytes.count {
            let count = Glibc.write(
                descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
            if count >= 0 {
                done += count
            } else if errno == EAGAIN {
                var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&wait, 1, -1)
            } else if errno != EINTR {
                return errno
            }
        }
        return 0
    }

    private func check(_ code: Int32) throws(CommandFailure) {
        guard code != 0 else { return }
        let fix =
            switch code {
            case ENOSPC, EDQUOT: "; free some space"
            case EBADF: "; it is closed: open it, or send it to a file"
            default: ""
            }
        throw CommandFailure(
            "cannot write to \(name): \(systemText(code))\(fix)", .inputOutput)
    }
}

/// The system's text for an errno.
func systemText(_ code: Int32) -> String {
    strerror(code).map { String(cString: $0) } ?? "error \(code)"
}
