internal import Glibc

/// Distinguishes one state of a file from another; all zero if there is no file.
public struct FileStamp: Equatable, Sendable {
    private var device: UInt = 0
    private var number: UInt = 0
    private var size = 0
    private var seconds = 0
    private var nanoseconds = 0

    public init(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return }
        device = UInt(status.st_dev)
        number = UInt(status.st_ino)
        size = Int(status.st_size)
        seconds = Int(status.st_mtim.tv_sec)
        nanoseconds = Int(status.st_mtim.tv_nsec)
    }
}
