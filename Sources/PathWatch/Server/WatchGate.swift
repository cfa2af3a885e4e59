/// Decides whether a request is answered.
struct WatchGate: Sendable {
    /// Whether the address is one of this host, where no token is needed.
    let isLocal: Bool
    /// Whether browsers can be sent there under another name.
    let isOpenToBrowsers: Bool
    /// Nil lets everyone in who can reach the address.
    let token: WatchToken?

    /// Why the request is refused; nil if it is not.
    ///
    /// The page itself has no secret: it asks for the token, and then for everything else with it.
    ///
    /// A change needs the token on every address, and no page of another place may make one, even if it
    /// knew the token: a browser adds no `Authorization` by itself, and says where a page is from.
    func refusal(of request: HTTPRequest) -> HTTPStatus? {
        if request.method == .post {
            guard let token else { return .forbidden }
            guard token.allows(request.authorization) else { return .unauthorized }
            return request.isFromElsewhere ? .forbidden : nil
        }
        if let token {
            return request.path == "/" || token.allows(request.authorization) ? nil : .unauthorized
        }
        // A name of somebody else that leads here (DNS rebinding) would let a foreign page read
        // everything.
        guard !isOpenToBrowsers || WatchGate.isOwnName(request.host) else { return .misdirected }
        return isLocal ? nil : .unauthorized
    }

    /// Whether a value of `Host` means this host whatever the name servers say.
    static func isOwnName(_ host: String) -> Bool {
        var name = host[...]
        if name.hasPrefix("[") {
            guard let end = name.firstIndex(of: "]") else { return false }
            let rest = name[name.index(after: end)...]
            return name[...end] == "[::1]" && isPort(rest)
        }
        if let colon = name.firstIndex(of: ":") {
            guard isPort(name[colon...]) else { return false }
            name = name[..<colon]
        }
        let lower = name.lowercased()
        if lower == "localhost" || lower.hasSuffix(".localhost") { return true }
        let parts = lower.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127"
            && parts.allSatisfy { part in
                part.utf8.allSatisfy { (48...57).contains($0) } && UInt8(part) != nil
            }
    }

    /// Whether it is nothing, or a colon and a port.
    private static func isPort(_ text: Substring) -> Bool {
        guard let first = text.first else { return true }
        let digits = text.dropFirst()
        return first == ":" && digits.utf8.allSatisfy { (48...57).contains($0) }
            && UInt16(digits) != nil
    }
}
