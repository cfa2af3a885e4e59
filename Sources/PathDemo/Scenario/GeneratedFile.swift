import Glibc
import PathTelemetry
import PathTransport

/// Generates the file to send from a seeded generator, so that the same seed gives the same file.
enum GeneratedFile {
    private static let pieceLength = 1 << 16

    /// Writes the file and returns the SHA-256 of its bytes.
    static func write(_ path: String, bytes: Int, seed: UInt64) throws(DemoError) -> [UInt8] {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .file("create", path, errno) }
        defer { close(descriptor) }
        var generator = SeededGenerator(seed: seed)
        do {
            var digest = try RunningDigest()
            var left = max(0, bytes)
            var piece = [UInt64](repeating: 0, count: pieceLength / 8)
            while left > 0 {
                for index in piece.indices { piece[index] = generator.next().littleEndian }
                let length = min(left, pieceLength)
                try piece.withUnsafeBytes { raw throws(any Error) in
                    let part = UnsafeRawBufferPointer(rebasing: raw[..<length])
                    try digest.update(part)
                    try writeAll(part, to: descriptor, path)
                }
                left -= length
            }
            return try digest.finish()
        } catch {
            throw DemoError(error)
        }
    }

    private static func writeAll(
        _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, _ path: String
    ) throws(DemoError) {
        var done = 0
        while done < bytes.count {
            let count = Glibc.write(
                descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
            if count >= 0 {
                done += count
            } else if errno != EINTR {
                throw .file("write", path, errno)
            }
        }
    }
}
