/// A request of HTTP/1.1 (RFC 9112) without a body, as far as the watch server reads it.
package struct HTTPRequest: Hashable, Sendable {
    /// What is asked for.
    package enum Method: Sendable {
        case get
        /// The same without the body.
        case head
    }

    package var method = Method.get
    /// As it was sent, without the query; it begins with a slash.
    package var path = "/"
    /// What stands after the question mark; empty without one.
    package var query = ""
    /// The value of the header `Host`, or the host of the target; empty if the request names no host.
    package var host = ""
    /// The value of the header `Authorization`.
    package var authorization: String?
    /// Whether the connection may be used for another request.
    package var isPersistent = true

    /// A number of the query, as `points` in `points=720`; nil if the query has no such key, or its
    /// value is not a number.
    package func number(_ name: String) -> Int? {
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, parts[0] == name, parts[1].utf8.count <= 9,
                parts[1].utf8.allSatisfy({ (48...57).contains($0) })
            else { continue }
            return Int(parts[1])
        }
        return nil
    }
}

/// The answers of the server, as far as it gives them.
package enum HTTPStatus: Int, Error, Sendable, CaseIterable {
    case ok = 200
    case badRequest = 400
    case unauthorized = 401
    case notFound = 404
    case methodNotAllowed = 405
    case timeout = 408
    case bodyTooLarge = 413
    case targetTooLong = 414
    case expectationFailed = 417
    case misdirected = 421
    case headersTooLarge = 431
    case unavailable = 503
    case versionNotSupported = 505

    /// The words after the number.
    var phrase: String {
        switch self {
        case .ok: "OK"
        case .badRequest: "Bad Request"
        case .unauthorized: "Unauthorized"
        case .notFound: "Not Found"
        case .methodNotAllowed: "Method Not Allowed"
        case .timeout: "Request Timeout"
        case .bodyTooLarge: "Content Too Large"
        case .targetTooLong: "URI Too Long"
        case .expectationFailed: "Expectation Failed"
        case .misdirected: "Misdirected Request"
        case .headersTooLarge: "Request Header Fields Too Large"
        case .unavailable: "Service Unavailable"
        case .versionNotSupported: "HTTP Version Not Supported"
        }
    }

    /// What to do about it, for people.
    package var advice: String {
        switch self {
        case .ok: ""
        case .badRequest: "the request is not HTTP/1.1"
        case .unauthorized:
            "send 'Authorization: Bearer TOKEN'; the token is in the file of --http-token"
        case .notFound: "there are /, /metrics, /status, /events and /history"
        case .methodNotAllowed: "only GET and HEAD are answered"
        case .timeout: "the request did not arrive in time"
        case .bodyTooLarge: "a request may have no body"
        case .targetTooLong: "the target is longer than \(HTTPParser.longestTarget) bytes"
        case .expectationFailed: "no expectation can be met"
        case .misdirected: "ask for 127.0.0.1, [::1] or localhost; other names need --http-token"
        case .headersTooLarge:
            "the headers are longer than \(HTTPParser.longestHead) bytes, or more than "
                + "\(HTTPParser.mostHeaders)"
        case .unavailable: "too many are watching; try again"
        case .versionNotSupported: "speak HTTP/1.1"
        }
    }
}
