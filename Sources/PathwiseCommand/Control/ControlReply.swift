import PathReport
import PathTelemetry

/// What a process has answered to a request.
struct ControlReply: Equatable {
    var status: ExitStatus
    var text: String

    /// Reads the line of an answer; nil if the line is not one.
    ///
    /// Its form is that of this program, so that only two of its members are looked for: the exit code
    /// behind the last mark of its name, and the text, which is the last member.
    init?(_ line: [UInt8]) {
        let mark = "\"text\":\""
        guard let whole = String(validating: line, as: UTF8.self), whole.hasPrefix("{"),
            whole.hasSuffix("\"}\n"), let start = whole.ranges(of: mark).last?.upperBound
        else { return nil }
        text = ControlReply.plain(whole[start...].dropLast(3))
        let code = "\"exit_code\":"
        guard let place = whole.ranges(of: code).last?.upperBound, place < start else {
            status = .success
            return
        }
        let digits = whole[place...].prefix { $0.isNumber }
        status = Int32(digits).flatMap(ExitStatus.init(rawValue:)) ?? .software
    }

    /// A JSON text without its escapes (RFC 8259, section 7).
    private static func plain(_ text: Substring) -> String {
        var result = ""
        var rest = text.unicodeScalars[...]
        while let next = rest.popFirst() {
            guard next == "\\", let kind = rest.popFirst() else {
                result.unicodeScalars.append(next)
                continue
            }
            switch kind {
            case "n": result += "\n"
            case "t": result += "\t"
            case "r": result += "\r"
            case "u":
                let digits = String(String.UnicodeScalarView(rest.prefix(4)))
                rest = rest.dropFirst(4)
                if let scalar = UInt32(digits, radix: 16).flatMap(Unicode.Scalar.init) {
                    result.unicodeScalars.append(scalar)
                }
            default: result.unicodeScalars.append(kind)
            }
        }
        return result
    }
}
