import PathTelemetry
import Pathwise

/// The answer to an opening: how it went, and a short text.
///
/// docs/protocol.md, "Forwarding".
public struct ForwardResult: Hashable, Sendable {
    /// How an opening went.
    public enum Code: UInt8, Sendable, CaseIterable {
        case ok = 0
        /// The rules of the answering side forbid it.
        case denied = 1
        /// The target refused the connection.
        case refused = 2
        /// No route leads to the target.
        case unreachable = 3
        /// The target did not answer in time.
        case timedOut = 4
        /// The name of the target has no address.
        case nameNotFound = 5
        /// A limit of this client was reached.
        case limitReached = 6
        /// The opening is malformed, or of a kind that the answering side does not know.
        case malformed = 7
        /// Another program listens on the address.
        case addressInUse = 8
    }

    /// The reason in words; a general one if the text says none.
    package var reason: String { text.isEmpty ? code.words : text }

    /// Most bytes of the text.
    public static let textLimit = 1000
    /// Bytes before the text.
    static let fixedLength = 3

    public let code: Code
    /// For `ok` the address that was connected to or listens; else the reason, safe to show.
    public let text: String

    public init(_ code: Code, _ text: String = "") {
        self.code = code
        self.text = text
    }

    /// The bytes of the answer; a text that is too long is cut.
    public func encoded() -> [UInt8] {
        let text = Array(self.text.utf8.prefix(ForwardResult.textLimit))
        return [code.rawValue, UInt8(text.count >> 8), UInt8(text.count & 255)] + text
    }

    /// Reads an answer from the first bytes that arrived.
    ///
    /// - Returns: the answer and its length; nil if more bytes are needed.
    /// - Throws: `malformedOpening`.
    public static func read(
        _ bytes: some Collection<UInt8>
    ) throws(ForwardError) -> (result: ForwardResult, length: Int)? {
        let fixed = Array(bytes.prefix(fixedLength))
        guard let first = fixed.first else { return nil }
        guard let code = Code(rawValue: first) else {
            throw .malformedOpening("an answer with code \(first)")
        }
        guard fixed.count == fixedLength else { return nil }
        let count = Int(fixed[1]) << 8 | Int(fixed[2])
        guard count <= textLimit else {
            throw .malformedOpening("an answer with a text of \(count) bytes")
        }
        let text = bytes.dropFirst(fixedLength).prefix(count)
        guard text.count == count else { return nil }
        return (
            ForwardResult(code, EscapedText(bytes: text).description), fixedLength + count
        )
    }
}

extension ForwardResult.Code {
    /// The word in JSON.
    package var name: String {
        switch self {
        case .ok: "ok"
        case .denied: "denied"
        case .refused: "refused"
        case .unreachable: "unreachable"
        case .timedOut: "timed_out"
        case .nameNotFound: "name_not_found"
        case .limitReached: "limit_reached"
        case .malformed: "malformed"
        case .addressInUse: "address_in_use"
        }
    }

    fileprivate var words: String {
        switch self {
        case .denied: "the other side's rules do not allow this target"
        case .refused: "the target refuses connections"
        case .unreachable: "no route leads to the target"
        case .timedOut: "the target does not answer"
        case .nameNotFound: "the target's name has no address"
        default: "the target could not be reached"
        }
    }
}
