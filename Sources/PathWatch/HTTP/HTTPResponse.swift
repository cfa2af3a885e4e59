/// An answer of the server.
package struct HTTPResponse: Sendable {
    package var status = HTTPStatus.ok
    /// The value of `Content-Type`.
    package var type = "text/plain; charset=utf-8"
    package var body: [UInt8] = []
    /// The value of `Content-Security-Policy`.
    package var contentPolicy = "default-src 'none'; frame-ancestors 'none'"
    /// Whether the body is the beginning of a stream of events that follows.
    package var isStream = false
    /// The methods that a route has, for those who use another one.
    var allowed = "GET, HEAD"

    /// An answer with a body.
    ///
    /// - Parameters:
    ///   - body: all of it.
    ///   - type: the value of `Content-Type`.
    package init(_ body: [UInt8], type: String) {
        self.body = body
        self.type = type
    }

    /// A refusal, whose body says what to do.
    ///
    /// - Parameters:
    ///   - status: of the answer.
    ///   - why: nil gives the usual advice.
    package init(_ status: HTTPStatus, why: String? = nil) {
        self.status = status
        body = Array("\(status.rawValue) \(status.phrase): \(why ?? status.advice)\n".utf8)
    }

    /// A stream of events, which others are added to as they happen.
    ///
    /// - Parameter first: what is sent at once.
    package static func stream(_ first: [UInt8]) -> HTTPResponse {
        var response = HTTPResponse(first, type: "text/event-stream")
        response.isStream = true
        return response
    }

    /// Everything that is sent.
    ///
    /// - Parameters:
    ///   - withBody: false for the answer to HEAD.
    ///   - isLast: whether the connection ends after it.
    func encoded(withBody: Bool, isLast: Bool) -> [UInt8] {
        var head = "HTTP/1.1 \(status.rawValue) \(status.phrase)\r\nContent-Type: \(type)\r\n"
        // A stream ends with its connection.
        if !isStream { head += "Content-Length: \(body.count)\r\n" }
        if isLast || isStream { head += "Connection: close\r\n" }
        if status == .methodNotAllowed { head += "Allow: \(allowed)\r\n" }
        if status == .unauthorized { head += "WWW-Authenticate: Bearer realm=\"pathwise\"\r\n" }
        if status == .unavailable { head += "Retry-After: 5\r\n" }
        head += """
            Cache-Control: no-store\r
            Content-Security-Policy: \(contentPolicy)\r
            Cross-Origin-Opener-Policy: same-origin\r
            Cross-Origin-Resource-Policy: same-origin\r
            Referrer-Policy: no-referrer\r
            X-Content-Type-Options: nosniff\r
            X-Frame-Options: DENY\r
            \r

            """
        return Array(head.utf8) + (withBody ? body : [])
    }
}

/// Server-sent events as bytes.
package enum EventText {
    /// One event.
    ///
    /// - Parameters:
    ///   - name: of its kind.
    ///   - data: one line.
    package static func event(_ name: String, _ data: [UInt8]) -> [UInt8] {
        Array("event: \(name)\ndata: ".utf8) + data + Array("\n\n".utf8)
    }
}
