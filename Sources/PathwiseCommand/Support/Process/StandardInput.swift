import Glibc
import PathTransport

/// Reads keys and tokens from standard input.
enum StandardInput {
    /// Reads a private key as `keygen` prints it.
    static func privateKey() throws(CommandFailure) -> PrivateKey {
        // A key has 44 characters; longer input is not a key.
        var bytes = [UInt8](repeating: 0, count: 256)
        defer { wipe(&bytes) }
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                read(STDIN_FILENO, $0.baseAddress.map { $0 + filled }, $0.count - filled)
            }
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw CommandFailure(
                    "cannot read standard input: \(systemText(errno))", .inputOutput)
            }
            filled += count
        }
        let words = bytes[..<filled].split { $0 == 32 || (9...13).contains($0) }
        guard words.count == 1, let key = PrivateKey(base64: words[0]) else {
            throw CommandFailure(
                "standard input does not hold one private key of 44 characters of base64; "
                    + "pipe the file of 'pathwise keygen' into it", .dataError)
        }
        return key
    }

    /// Reads the first line that has more than spaces; up to its end at most 16,384 bytes.
    static func line() throws(CommandFailure) -> String {
        var left = 16_384
        while let line = readLine(strippingNewline: false) {
            left -= line.utf8.count
            if left < 0 { break }
            if !line.allSatisfy(\.isWhitespace) { return line }
        }
        throw CommandFailure(
            "standard input does not hold a token; pipe the line that begins with pathwise1-",
            .dataError)
    }

    private static func wipe(_ bytes: inout [UInt8]) {
        bytes.withUnsafeMutableBytes { room in
            if let start = room.baseAddress { explicit_bzero(start, room.count) }
        }
    }
}
