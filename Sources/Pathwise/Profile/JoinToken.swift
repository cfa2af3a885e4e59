import PathTelemetry
public import PathTransport

/// One line of text that lets one new client enrol at a server.
///
/// It has the server's key and addresses, and a private key that is good for one enrolment until it
/// expires; the server keeps only the public half. docs/formats.md, "Join tokens".
public struct JoinToken: Sendable {
    /// Most addresses, and most bytes of each.
    public static let addressLimit = 16
    static let addressLength = 255
    private static let prefix = "pathwise1-"
    private static let checksumLength = 8
    /// A token of more characters is not read.
    private static let lengthLimit = 8192

    /// The server's public key.
    public var server: PublicKey
    /// The server's name for itself; it may be empty.
    public var name: String
    /// The server's addresses, HOST:PORT each.
    public var addresses: [String]
    /// The key for the enrolment.
    public var enrolment: PrivateKey
    /// Seconds since 1970 after which the server refuses the token.
    public var expires: UInt64

    public init(
        server: PublicKey, name: String, addresses: [String], enrolment: PrivateKey,
        expires: UInt64
    ) {
        self.server = server
        self.name = PlainName.allows(name) ? name : ""
        self.addresses = Array(
            addresses.filter { $0.utf8.count <= JoinToken.addressLength }
                .prefix(JoinToken.addressLimit))
        self.enrolment = enrolment
        self.expires = expires
    }

    // MARK: writing

    /// The line, without a line break; it is a secret until it has been used.
    public func text() throws(CryptoError) -> String {
        var bytes = server.rawBytes
        bytes += try enrolment.secretBytes
        bytes.append(number: expires, width: 8)
        bytes.append(UInt8(name.utf8.count))
        bytes += name.utf8
        bytes.append(UInt8(addresses.count))
        for address in addresses {
            bytes.append(UInt8(address.utf8.count))
            bytes += address.utf8
        }
        bytes += try JoinToken.checksum(bytes)
        return JoinToken.prefix + URLBase64.encode(bytes)
    }

    private static func checksum(_ bytes: some Collection<UInt8>) throws(CryptoError) -> [UInt8] {
        let content = Array(bytes)
        let label = Array("pathwise token".utf8)
        return Array(
            try Crypto.sha256(label.span.bytes, content.span.bytes).array
                .prefix(checksumLength))
    }

    // MARK: reading

    /// Reads a token; white space in and around it is ignored.
    ///
    /// - Throws: `token` if it is not one, or not complete.
    public init(parsing text: String) throws(StateError) {
        let line = text.unicodeScalars.filter { !$0.properties.isWhitespace }
        guard line.count <= JoinToken.lengthLimit else { throw JoinToken.damaged }
        let compact = String(String.UnicodeScalarView(line))
        guard compact.hasPrefix(JoinToken.prefix) else {
            throw JoinToken.problem(withoutPrefix: compact)
        }
        guard let bytes = URLBase64.decode(compact.utf8.dropFirst(JoinToken.prefix.utf8.count)),
            bytes.count > JoinToken.checksumLength
        else { throw JoinToken.damaged }
        let content = bytes.dropLast(JoinToken.checksumLength)
        let sum = try? JoinToken.checksum(content)
        guard sum == Array(bytes[content.endIndex...]) else { throw JoinToken.damaged }
        self = try JoinToken.read(content)
    }

    private static let damaged = StateError.token(
        "the token is not complete or was mistyped; copy the whole line that begins with "
            + "\(prefix), or make another on the server with 'pathwise invite'")

    private static func problem(withoutPrefix text: String) -> StateError {
        if text.hasPrefix("pathwise"), text.dropFirst(8).prefix(while: \.isNumber).count > 0 {
            return .token("the token is of another version of pathwise; update this side")
        }
        return .token(
            "this is no token; copy the whole line that begins with \(prefix) from the server")
    }

    private static func read(_ content: ArraySlice<UInt8>) throws(StateError) -> JoinToken {
        var reader = TokenReader(rest: content)
        guard let key = reader.take(PublicKey.length), let server = PublicKey(Array(key)),
            let secret = reader.take(PrivateKey.length), let enrolment = PrivateKey(Array(secret)),
            let expires = reader.take(8), let name = reader.text(),
            let count = reader.take(1)?.first,
            name.isEmpty || PlainName.allows(name), (1...addressLimit).contains(Int(count))
        else { throw damaged }
        var addresses: [String] = []
        for _ in 0..<count {
            guard let address = reader.text(), !address.isEmpty else { throw damaged }
            addresses.append(address)
        }
        guard reader.rest.isEmpty else { throw damaged }
        return JoinToken(
            server: server, name: name, addresses: addresses, enrolment: enrolment,
            expires: expires.reduce(0) { $0 << 8 | UInt64($1) })
    }
}

/// Takes the parts of a token.
private struct TokenReader {
    var rest: ArraySlice<UInt8>

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    /// A text behind its length; nil if it has characters that no address has.
    mutating func text() -> String? {
        guard let count = take(1)?.first, let bytes = take(Int(count)),
            bytes.allSatisfy({ $0 > 32 && $0 < 127 })
        else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
