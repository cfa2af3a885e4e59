import Glibc
import PathTransport

/// SHA-256 of whole files, as `sha256sum` prints it.
enum FileDigest {
    static func sha256(_ path: String) throws -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path, errno) }
        defer { close(descriptor) }
        var digest = try RunningDigest()
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { room.deallocate() }
        while true {
            let count = read(descriptor, room.baseAddress, room.count)
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw failure(path, errno)
            }
            try digest.update(UnsafeRawBufferPointer(rebasing: room[..<count]))
        }
        return try digest.finish().map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    private static func failure(_ path: String, _ code: Int32) -> CommandFailure {
        CommandFailure(
            "cannot read '\(path)': \(systemText(code)); check the name and the permissions",
            ExitStatus(reading: code))
    }
}
