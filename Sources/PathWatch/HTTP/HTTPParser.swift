/// Reads requests from the bytes of a connection (RFC 9112), strictly.
///
/// It looks at no more than `longestHead` bytes and keeps none. What a lenient server and a proxy
/// could read in two ways is refused: line ends without a carriage return, folded headers, spaces before
/// a colon, a second `Host`, and a body without its length.
package enum HTTPParser {
    /// The most bytes of a request before its body, and of the body.
    package static let longestHead = 8192
    package static let longestBody = 8192
    static let longestTarget = 1024
    static let mostHeaders = 64

    /// What the bytes of a connection begin with.
    package enum Finding: Equatable, Sendable {
        /// The request is not whole yet.
        case incomplete
        /// The request without its body, which is not whole yet.
        case head(HTTPRequest)
        /// A request, and how many bytes it has.
        case request(HTTPRequest, length: Int)
        /// Something to which this is the answer; nothing after it can be read.
        case refused(HTTPStatus)
    }

    /// Looks for a request at the beginning of what has arrived.
    package static func parse(_ bytes: [UInt8]) -> Finding {
        let limit = min(bytes.count, longestHead)
        var lines: [ArraySlice<UInt8>] = []
        var start = 0
        var isWhole = false
        var index = 0
        while index < limit, !isWhole {
            let byte = bytes[index]
            if byte == 10 {
                guard index > start, bytes[index - 1] == 13 else { return .refused(.badRequest) }
                let line = bytes[start..<index - 1]
                start = index + 1
                if !line.isEmpty {
                    lines.append(line)
                    guard lines.count <= mostHeaders + 1 else { return .refused(.headersTooLarge) }
                } else if lines.isEmpty {
                    // Section 2.2: empty lines may stand before a request; one does.
                    guard index == 1 else { return .refused(.badRequest) }
                } else {
                    isWhole = true
                }
            } else if byte < 32 && byte != 9 && byte != 13 || byte == 127 {
                return .refused(.badRequest)
            } else if byte != 13, index > start, bytes[index - 1] == 13 {
                return .refused(.badRequest)
            }
            index += 1
        }
        if lines.isEmpty, index - start > longestTarget + 64 { return .refused(.targetTooLong) }
        guard isWhole else {
            return bytes.count >= longestHead ? .refused(.headersTooLarge) : .incomplete
        }
        do throws(HTTPStatus) {
            var (request, length) = try request(lines)
            guard length <= bytes.count - index else { return .head(request) }
            request.body = Array(bytes[index..<index + length])
            return .request(request, length: index + length)
        } catch {
            return .refused(error)
        }
    }

    /// The request without its body, and how many bytes that has.
    private static func request(
        _ lines: [ArraySlice<UInt8>]
    ) throws(HTTPStatus) -> (HTTPRequest, bodyLength: Int) {
        var (request, version) = try start(lines[0])
        var headers = Headers()
        for line in lines.dropFirst() { try headers.take(line) }
        if headers.isEncoded { throw .lengthRequired }
        guard headers.length <= longestBody else { throw .bodyTooLarge }
        if headers.expects { throw .expectationFailed }
        guard headers.host != nil || version == 0 else { throw .badRequest }
        // Section 3.2.2: the host of the target counts, if it has one.
        if request.host.isEmpty { request.host = headers.host ?? "" }
        request.authorization = headers.authorization
        request.type = headers.type
        request.origin = headers.origin
        request.site = headers.site
        request.isPersistent = version == 0 ? headers.keepsAlive : !headers.closes
        return (request, headers.length)
    }

    /// The request of the first line, and the minor version.
    private static func start(
        _ line: ArraySlice<UInt8>
    ) throws(HTTPStatus) -> (HTTPRequest, version: Int) {
        let words = line.split(separator: 32, omittingEmptySubsequences: false)
        guard words.count == 3, isToken(words[0]), !words[1].isEmpty else { throw .badRequest }
        guard words[1].count <= longestTarget else { throw .targetTooLong }
        guard words[1].allSatisfy({ (33...126).contains($0) }) else { throw .badRequest }
        let version: Int
        switch text(words[2]) {
        case "HTTP/1.1": version = 1
        case "HTTP/1.0": version = 0
        case let other where isVersion(other): throw .versionNotSupported
        default: throw .badRequest
        }
        var request = HTTPRequest()
        switch text(words[0]) {
        case "GET": request.method = .get
        case "HEAD": request.method = .head
        case "POST": request.method = .post
        default: request.method = .other
        }
        var target = Substring(text(words[1]))
        if !target.hasPrefix("/") {
            guard target.prefix(7).lowercased() == "http://" else { throw .badRequest }
            target = target.dropFirst(7)
            let end = target.firstIndex { $0 == "/" || $0 == "?" } ?? target.endIndex
            request.host = String(target[..<end])
            guard !request.host.isEmpty else { throw .badRequest }
            target = target[end...]
        }
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        request.path = parts.first.map { $0.isEmpty ? "/" : String($0) } ?? "/"
        request.query = parts.count > 1 ? String(parts[1]) : ""
        return (request, version)
    }

    /// Whether it is another version of HTTP, as `HTTP/2.0`.
    private static func isVersion(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return bytes.count == 8 && text.hasPrefix("HTTP/") && (48...57).contains(bytes[5])
            && bytes[6] == 46 && (48...57).contains(bytes[7])
    }

    /// Section 5.6.2 of RFC 9110.
    fileprivate static func isToken(_ bytes: ArraySlice<UInt8>) -> Bool {
        !bytes.isEmpty
            && bytes.allSatisfy { byte in
                switch byte {
                case 48...57, 65...90, 97...122: true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }

    fileprivate static func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}

/// The headers that count.
private struct Headers {
    var host: String?
    var authorization: String?
    var type: String?
    var origin: String?
    var site: String?
    /// Bytes of the body; more than any request may have if there are too many digits.
    var length: Int { lengthText.map { Int($0) ?? .max } ?? 0 }
    var isEncoded = false
    var expects = false
    var closes = false
    var keepsAlive = false
    private var lengthText: String?

    /// Reads the line of a header.
    mutating func take(_ line: ArraySlice<UInt8>) throws(HTTPStatus) {
        guard let colon = line.firstIndex(of: 58), HTTPParser.isToken(line[..<colon]) else {
            throw .badRequest
        }
        var value = line[line.index(after: colon)...]
        while let first = value.first, first == 32 || first == 9 { value.removeFirst() }
        while let last = value.last, last == 32 || last == 9 { value.removeLast() }
        let text = HTTPParser.text(value)
        switch HTTPParser.text(line[..<colon]).lowercased() {
        case "host":
            guard host == nil, value.allSatisfy({ (33...126).contains($0) }) else {
                throw .badRequest
            }
            host = text
        case "authorization": try Headers.set(&authorization, text)
        case "content-type": try Headers.set(&type, text)
        case "origin": try Headers.set(&origin, text)
        case "sec-fetch-site": try Headers.set(&site, text)
        case "content-length":
            guard !value.isEmpty, value.allSatisfy({ (48...57).contains($0) })
            else { throw .badRequest }
            try Headers.set(&lengthText, text)
        case "transfer-encoding": isEncoded = true
        case "expect": expects = true
        case "connection":
            for word in text.lowercased().split(whereSeparator: { $0 == "," || $0 == " " }) {
                if word == "close" { closes = true }
                if word == "keep-alive" { keepsAlive = true }
            }
        default: break
        }
    }

    /// Sets what a request may say once.
    private static func set(_ value: inout String?, _ text: String) throws(HTTPStatus) {
        guard value == nil else { throw .badRequest }
        value = text
    }
}
