/// A request of HTTP/1.1 (RFC 9112), as far as the watch server reads it.
package struct HTTPRequest: Hashable, Sendable {
    /// What is asked for.
    package enum Method: Sendable {
        case get
        /// The same without the body.
        case head
        /// A change.
        case post
        /// A method that no route has.
        case other
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
    /// The value of the header `Content-Type`.
    package var type: String?
    /// The value of the header `Origin`: the place of the page that sends the request.
    var origin: String?
    /// The value of the header `Sec-Fetch-Site`: how near that page is, as a browser sees it.
    var site: String?
    /// Whether the connection may be used for another request.
    package var isPersistent = true
    /// All of it; a request to read something has none.
    package var body: [UInt8] = []

    /// A number of the query, as `points` in `points=720`; nil if the query has no such key.
    ///
    /// - Parameters:
    ///   - name: of the number.
    ///   - range: that it has to be in.
    /// - Throws: `HTTPStatus.badRequest` for any other value.
    package func number(
        _ name: String, in range: ClosedRange<Int>
    ) throws(HTTPStatus) -> Int? {
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts[0] == name else { continue }
            guard parts.count == 2, parts[1].utf8.count <= 9,
                parts[1].utf8.allSatisfy({ (48...57).contains($0) }),
                let number = Int(parts[1]), range.contains(number)
            else { throw .badRequest }
            return number
        }
        return nil
    }

    /// Whether a browser sends it for a page of another place than this server's.
    var isFromElsewhere: Bool {
        if let site, site != "same-origin", site != "none" { return true }
        guard let origin else { return false }
        guard let mark = origin.firstRange(of: "://") else { return true }
        return origin[mark.upperBound...].lowercased() != host.lowercased()
    }
}

/// The answers of the server, as far as it gives them.
package enum HTTPStatus: Int, Error, Sendable, CaseIterable {
    case ok = 200
    case badRequest = 400
    case unauthorized = 401
    case forbidden = 403
    case notFound = 404
    case methodNotAllowed = 405
    case lengthRequired = 411
    case bodyTooLarge = 413
    case targetTooLong = 414
    case typeNotSupported = 415
    case expectationFailed = 417
    case misdirected = 421
    /// What a request asks for cannot be done.
    case refused = 422
    case headersTooLarge = 431
    case unavailable = 503
    case versionNotSupported = 505

    /// The words after the number.
    var phrase: String {
        switch self {
        case .ok: "OK"
        case .badRequest: "Bad Request"
        case .unauthorized: "Unauthorized"
        case .forbidden: "Forbidden"
        case .notFound: "Not Found"
        case .methodNotAllowed: "Method Not Allowed"
        case .lengthRequired: "Length Required"
        case .bodyTooLarge: "Content Too Large"
        case .targetTooLong: "URI Too Long"
        case .typeNotSupported: "Unsupported Media Type"
        case .expectationFailed: "Expectation Failed"
        case .misdirected: "Misdirected Request"
        case .refused: "Unprocessable Content"
        case .headersTooLarge: "Request Header Fields Too Large"
        case .unavailable: "Service Unavailable"
        case .versionNotSupported: "HTTP Version Not Supported"
        }
    }

    /// What to do about it, for people.
    package var advice: String {
        switch self {
        case .ok: ""
        case .badRequest: "the request is not HTTP/1.1, or a number of its query is not possible"
        case .unauthorized:
            "send 'Authorization: Bearer TOKEN'; the token is in the file of --http-token"
        case .forbidden:
            "changes need the token of --http-token, also on this host, and no page of another "
                + "place may make any"
        case .notFound: "/openapi.json describes everything that there is"
        case .methodNotAllowed: "what may be read has GET and HEAD, what may be changed has POST"
        case .lengthRequired: "a body needs its length before it"
        case .bodyTooLarge:
            "a change may have a body of \(HTTPParser.longestBody) bytes, everything else none"
        case .typeNotSupported: "send 'Content-Type: application/json'"
        case .refused: "it cannot be done"
        case .targetTooLong: "the target is longer than \(HTTPParser.longestTarget) bytes"
        case .expectationFailed: "no expectation can be met"
        case .misdirected: "ask for 127.0.0.1, [::1] or localhost; other names need --http-token"
        case .headersTooLarge:
            "the headers are longer than \(HTTPParser.longestHead) bytes, or more than "
                + "\(HTTPParser.mostHeaders)"
        case .unavailable: "there is too much to do; try again"
        case .versionNotSupported: "speak HTTP/1.1"
        }
    }
}
