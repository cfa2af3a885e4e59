import Glibc

/// Whether a stream goes to the journal of systemd, which takes the level of a line from a number before
/// it (sd-daemon(3)) and has the time of each line itself.
enum JournalStream {
    /// Whether `JOURNAL_STREAM` names the file of a descriptor, by device and number
    /// (systemd.exec(5)).
    static func isBehind(_ descriptor: Int32) -> Bool {
        guard let value = getenv("JOURNAL_STREAM") else { return false }
        return isNamed(by: String(cString: value), descriptor)
    }

    /// - Parameter value: `DEVICE:INODE`, in decimal numbers.
    static func isNamed(by value: String, _ descriptor: Int32) -> Bool {
        let parts = value.split(separator: ":", omittingEmptySubsequences: false)
        var file = stat()
        guard parts.count == 2, let device = UInt64(parts[0]), let number = UInt64(parts[1]),
            fstat(descriptor, &file) == 0
        else { return false }
        return UInt64(file.st_dev) == device && UInt64(file.st_ino) == number
    }
}
