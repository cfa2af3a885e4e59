internal import PathTelemetry

/// The server's half of HTTP CONNECT; RFC 9110, section 9.3.6, and RFC 9112.
///
/// `next` is called with all bytes that arrived; after a request it has left only those behind the
/// header, which belong to the tunnel.
struct ConnectDialog {
    /// What has to be done next.
    enum Step: Equatable {
        case needsMore
        case connect(ForwardTarget)
        /// Send this and close.
        case refuse([UInt8])
    }

    /// The status of an answer.
    enum Status: Int {
        case malformed = 400
        case forbidden = 403
        case methodNotAllowed = 405
        case badGateway = 502
        case unavailable = 503
        case gatewayTimeout = 504

        init(_ code: ForwardResult.Code) {
            self =
                switch code {
                case .denied: .forbidden
                case .timedOut: .gatewayTimeout
                case .limitReached: .unavailable
                default: .badGateway
                }
        }

        var phrase: String {
            switch self {
            case .malformed: "Bad Request"
            case .forbidden: "Forbidden"
            case .methodNotAllowed: "Method Not Allowed"
            case .badGateway: "Bad Gateway"
            case .unavailable: "Service Unavailable"
            case .gatewayTimeout: "Gateway Timeout"
            }
        }
    }

    /// Most bytes of a request's header.
    static let headerLimit = 16_384
    /// The answer after which the tunnel begins.
    static let established = Array("HTTP/1.1 200 Connection established\r\n\r\n".utf8)

    /// Where the search for the end of the header goes on, so that a slow client costs no more
    /// than a fast one.
    private var searched = 0

    mutating func next(_ bytes: inout [UInt8]) -> Step {
        guard let end = endOfHeader(bytes) else {
            return bytes.count < ConnectDialog.headerLimit
                ? .needsMore
                : .refuse(ConnectDialog.answer(.malformed, "the header has more than 16 kB"))
        }
        guard end <= ConnectDialog.headerLimit else {
            return .refuse(ConnectDialog.answer(.malformed, "the header has more than 16 kB"))
        }
        let line = bytes[..<end].drop { $0 == 13 || $0 == 10 }.prefix { $0 != 13 && $0 != 10 }
        bytes.removeFirst(end)
        return ConnectDialog.request(line)
    }

    /// The number of bytes up to and including the empty line; lines may end without CR.
    private mutating func endOfHeader(_ bytes: [UInt8]) -> Int? {
        // Empty lines before the request are ignored (RFC 9112, section 2.2).
        let start = bytes.firstIndex { $0 != 13 && $0 != 10 } ?? bytes.count
        var index = max(searched, start)
        while index < bytes.count {
            if bytes[index] == 10 {
                var next = index + 1
                if next < bytes.count, bytes[next] == 13 { next += 1 }
                guard next < bytes.count else { break }
                if bytes[next] == 10 { return next + 1 }
            }
            index += 1
        }
        searched = index
        return nil
    }

    private static func request(_ line: ArraySlice<UInt8>) -> Step {
        guard let text = String(validating: line, as: UTF8.self) else {
            return .refuse(answer(.malformed, "the request line is no text"))
        }
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[2].hasPrefix("HTTP/1.") else {
            return .refuse(answer(.malformed, "write CONNECT HOST:PORT HTTP/1.1"))
        }
        guard words[0] == "CONNECT" else {
            return .refuse(
                answer(
                    .methodNotAllowed, "this proxy forwards CONNECT only", "Allow: CONNECT\r\n"))
        }
        guard let target = try? ForwardTarget(parsing: String(words[1])), target.port != 0 else {
            return .refuse(answer(.malformed, "the target is not HOST:PORT"))
        }
        return .connect(target)
    }

    /// An answer with one line of text, after which the connection is closed.
    static func answer(_ status: Status, _ text: String, _ fields: String = "") -> [UInt8] {
        let body = "\(EscapedText(text))\n"
        return Array(
            ("HTTP/1.1 \(status.rawValue) \(status.phrase)\r\n\(fields)"
                + "Content-Type: text/plain; charset=utf-8\r\nContent-Length: \(body.utf8.count)\r\n"
                + "Connection: close\r\n\r\n\(body)").utf8)
    }
}
