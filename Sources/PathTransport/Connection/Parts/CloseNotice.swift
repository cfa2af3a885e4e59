/// What a side tells its peer when it ends a connection.
///
/// docs/protocol.md, "The end".
public struct CloseNotice: Hashable, Sendable {
    /// Zero means "done", one a violation of the protocol.
    public let code: UInt64
    /// For a person; at most 200 bytes are sent.
    public let text: String

    /// The work is done.
    public static let done = CloseNotice(code: 0, text: "")
    /// The same, and why.
    public static func done(_ text: String) -> CloseNotice { CloseNotice(code: 0, text: text) }

    /// The server does not allow the client's key any more.
    public static let withdrawn = CloseNotice(
        code: 2, text: "this server does not allow the key of this client any more")

    /// The peer broke the protocol.
    static func violation(_ text: String) -> CloseNotice { CloseNotice(code: 1, text: text) }

    fileprivate static let sessionLimitCode: UInt64 = 3

    /// The server has as many sessions of the client's key as it takes.
    ///
    /// - Parameter text: says how many, and how to have more.
    public static func sessionLimit(_ text: String) -> CloseNotice {
        CloseNotice(code: sessionLimitCode, text: text)
    }
}

extension CloseReason {
    /// Whether the server has ended the connection because it does not allow this client's key any
    /// more; unlike a refusal this is authenticated.
    public var isWithdrawal: Bool {
        if case .peer(CloseNotice.withdrawn.code, _) = self { true } else { false }
    }

    /// Whether the server has as many sessions of this client's key as it takes.
    public var isSessionLimit: Bool {
        if case .peer(CloseNotice.sessionLimitCode, _) = self { true } else { false }
    }
}
