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

    /// How long a token is good, from `--token-lifetime`.
    static func lifetime(_ text: String) throws -> UInt64 {
        do throws(SyntaxProblem) {
            let time = try TimeDelta(argument: text)
            guard time >= .seconds(1), time <= .seconds(90 * 86_400) else {
                throw SyntaxProblem("give 1s to 2160h (90 days)")
            }
            return UInt64(time.seconds)
        } catch {
            throw CommandFailure("--token-lifetime '\(text)': \(error)", .usage)
        }
    }

    /// Seconds since 1970.
    static func now() -> UInt64 { UInt64(max(0, Glibc.time(nil))) }
}
