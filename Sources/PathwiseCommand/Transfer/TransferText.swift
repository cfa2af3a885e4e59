import Glibc
import PathReport
import PathTelemetry
import PathTransport
import Pathwise

/// Items in text and in JSON, for both sides.
enum TransferText {
    // MARK: JSON

    static func json(_ item: SentItem) -> JSONValue {
        .object(
            name(item.name) + [
                ("kind", item.kind.map { .string($0.rawValue) } ?? .null),
                ("outcome", .string(item.outcome.rawValue)),
                ("bytes", .int(Int64(clamping: item.bytes))),
                ("resumed_from", .int(Int64(clamping: item.resumedFrom))),
                ("sha256", item.digest.isEmpty ? .null : .string(item.hexDigest)),
                ("stored_as", item.storedName.map { .string("\($0)") } ?? .null),
                ("note", item.note.map { .string($0) } ?? .null),
                (
                    "problem",
                    item.error.map { .string(CommandFailure($0).message) } ?? .null
                ),
            ])
    }

    static func json(_ item: ReceivedItem, client: String) -> JSONValue {
        .object(
            [("event", .string("item")), ("time", .string(time()))] + name(item.name) + [
                ("client", .string(client)), ("client_key", .string(item.client.base64)),
                ("kind", .string(item.kind.rawValue)),
                ("outcome", .string(item.outcome.rawValue)), ("path", .string(item.path)),
                ("bytes", .int(Int64(clamping: item.bytes))),
                ("resumed_from", .int(Int64(clamping: item.resumedFrom))),
                ("sha256", item.digest.isEmpty ? .null : .string(item.hexDigest)),
                ("complete", .bool(item.outcome != .failed)),
                ("seconds", .number(item.duration.seconds)),
                ("bits_per_second", .number(rate(item) * 8)),
                ("longest_gap_ms", .number(item.longestGap.milliseconds)),
                ("problem", item.problem.map { .string($0) } ?? .null),
            ])
    }

    /// The name as text, and as bytes if the text does not represent them.
    private static func name(_ name: ItemName) -> [(key: String, value: JSONValue)] {
        var members: [(key: String, value: JSONValue)] = [("name", .string("\(name)"))]
        if name.text != "\(name)" {
            let digits = name.bytes.map { byte in
                (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
            members.append(("name_bytes", .string(digits.joined())))
        }
        return members
    }

    // MARK: text

    /// A line of the log of `receive`.
    static func line(_ item: ReceivedItem, client: String) -> String {
        let place = item.path.isEmpty ? "\(item.name)" : item.path
        var words = [time(), client, item.outcome.rawValue, item.kind.rawValue]
        if item.outcome == .failed {
            words.append(SessionSummary.bytes(item.bytes))
            words.append("\(item.name): \(item.problem ?? "cut short")")
            if item.hasPart { words.append("(the part is \(place))") }
            return words.joined(separator: "  ")
        }
        if item.kind == .file || item.kind == .pipe {
            words.append(SessionSummary.bytes(item.bytes))
            words.append(SessionSummary.rate(rate(item)))
            if !item.digest.isEmpty { words.append(item.hexDigest) }
        }
        words.append(place)
        return words.joined(separator: "  ")
    }

    private static func rate(_ item: ReceivedItem) -> Double {
        let moved = item.bytes > item.resumedFrom ? item.bytes - item.resumedFrom : 0
        return item.duration > .zero ? Double(moved) / item.duration.seconds : 0
    }

    /// A time in UTC, as RFC 3339 writes it; now unless another is given.
    static func time(_ seconds: Int = Glibc.time(nil)) -> String {
        var moment = seconds
        var parts = tm()
        gmtime_r(&moment, &parts)
        var text = [CChar](repeating: 0, count: 32)
        let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
