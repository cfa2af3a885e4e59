import Glibc
import PathReport
import PathTelemetry
import Pathwise

/// Tokens in text and JSON, and what goes into them.
enum InviteText {
    static func members(
        _ line: String, _ token: JoinToken
    ) -> [(key: String, value: JSONValue)] {
        [
            ("token", .string(line)),
            ("expires", .string(TransferText.time(Int(clamping: token.expires)))),
            ("addresses", .array(token.addresses.map { .string($0) })),
        ]
    }

    /// The first line of a file that has more than spaces, where a token is expected.
    static func line(of file: String) throws(CommandFailure) -> String {
        func failure(_ code: Int32) -> CommandFailure {
            CommandFailure(
                "cannot read the token from '\(file)': \(systemText(code)); name the file that has the "
                    + "line of 'pathwise invite'", ExitStatus(reading: code))
        }
        // A pipe without a writer is refused instead of waited for.
        let descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure(errno) }
        defer { close(descriptor) }
        // A token has at most 8 kB.
        var bytes = [UInt8](repeating: 0, count: 16_384)
        var count = -1
        repeat { count = read(descriptor, &bytes, bytes.count) } while count < 0 && errno == EINTR
        guard count >= 0 else { throw failure(errno) }
        let lines = String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n")
        return lines.first { !$0.allSatisfy(\.isWhitespace) }.map(String.init) ?? ""
    }

    /// The name of this host as a name of a client or a server; a fallback if it has none.
    static func hostName(or fallback: String) -> String {
        var room = [CChar](repeating: 0, count: 256)
        guard gethostname(&room, room.count - 1) == 0 else { return fallback }
        let bytes = room.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
        return plainName(String(decoding: bytes, as: UTF8.self), or: fallback)
    }

    /// The first part of a host's name, with other characters than a name may have replaced.
    static func plainName(_ text: String, or fallback: String) -> String {
        let label = text.split(separator: ".").first.map(String.init) ?? ""
        let name = String(
            label.map { PlainName.allows(String($0)) ? $0 : "-" }.prefix(32))
        return PlainName.allows(name) ? name : fallback
    }

    /// The bounds of `--token-lifetime`, for help and errors.
    static let lifetimes = "1s to 90d"
    /// How long the first token of a server is good, unless it is told otherwise.
    static let standardLifetime = "24h"

    /// How long a token is good, from `--token-lifetime`, seconds.
    static func lifetime(_ text: String) throws -> UInt64 {
        let time =
            text.hasSuffix("d")
            ? ArgumentText.number(String(text.dropLast())).map { $0 * 86_400 }
            : ArgumentText.seconds(text)
        guard let time, time >= 1, time <= 90 * 86_400 else {
            throw CommandFailure(
                "--token-lifetime '\(text)': give \(lifetimes), as 30min, 24h or 7d", .usage)
        }
        return UInt64(time)
    }

    /// What is said of a token that has expired, with both times, because a clock may be wrong.
    ///
    /// - Parameters:
    ///   - expires: when it did, seconds since 1970.
    ///   - now: the time on this host.
    static func expired(_ expires: UInt64, now: UInt64) -> String {
        let age = NumberText.time(Double(now - min(expires, now)))
        func time(_ seconds: UInt64) -> String { TransferText.time(Int(clamping: seconds)) }
        return "the token expired \(age) ago, at \(time(expires)) (UTC; this "
            + "host's clock says \(time(now))); make another on the server with 'pathwise invite', "
            + "or set the clock if it is wrong"
    }

    /// Seconds since 1970.
    static func now() -> UInt64 { UInt64(max(0, Glibc.time(nil))) }
}
