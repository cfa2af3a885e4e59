/// What a process is asked for.
public enum StatusRequest: Hashable, Sendable {
    /// One JSON object on one line.
    case json
    /// Tables for a terminal.
    case text
    /// A change of what the process does, in words; the answer is one JSON object on one line.
    case change([String])

    /// The longest line, bytes with its end.
    static let longest = 8192
    /// The most words of a change.
    private static let mostWords = 64
    private static let changeWord = "change"

    /// Reads a line without its end; nil for anything that is no request.
    ///
    /// A change is `change` and its words, with a tab before each.
    init?(_ line: some Collection<UInt8>) {
        guard line.count < StatusRequest.longest,
            let text = String(validating: line, as: UTF8.self)
        else { return nil }
        let words = text.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        switch (words[0], words.count) {
        case ("json", 1): self = .json
        case ("text", 1): self = .text
        case (StatusRequest.changeWord, 2...(StatusRequest.mostWords + 1)):
            let rest = Array(words.dropFirst())
            guard rest.allSatisfy(StatusRequest.isWord) else { return nil }
            self = .change(rest)
        default: return nil
        }
    }

    /// Whether a word may be part of a change: it is not empty, and has no control characters.
    public static func isWord(_ word: String) -> Bool {
        !word.isEmpty && !word.unicodeScalars.contains { $0.value < 32 || $0.value == 127 }
    }

    /// The line, with its end.
    var line: [UInt8] {
        switch self {
        case .json: Array("json\n".utf8)
        case .text: Array("text\n".utf8)
        case .change(let words):
            Array(([StatusRequest.changeWord] + words).joined(separator: "\t").utf8) + [10]
        }
    }

    /// Milliseconds until an answer has to be there; a change may look names up.
    var patience: Int {
        switch self {
        case .json, .text: 2000
        case .change: 60_000
        }
    }
}

/// The answers that come later than their questions, on their way to the socket's thread.
///
/// *Any thread.*
final class StatusMail: Sendable {
    private struct State {
        var answers: [Int: [UInt8]] = [:]
        /// Wakes the socket's thread; -1 when it is closed.
        var wakeEnd: Int32
    }
    private let state: Guarded<State>

    /// - Parameter wakeEnd: of a pipe; it is closed with this.
    init(wakeEnd: Int32) { state = Guarded(State(wakeEnd: wakeEnd)) }

    /// Hands an answer over for the client with this number; nothing happens after `close`.
    func post(_ answer: [UInt8], to number: Int) {
        state.withLock { state in
            // The first answer counts.
            guard state.wakeEnd >= 0, state.answers[number] == nil else { return }
            state.answers[number] = answer
            UnixSocket.signal(state.wakeEnd)
        }
    }

    /// The answers since the last call, by the numbers of their clients.
    func take() -> [Int: [UInt8]] {
        state.withLock { state in
            defer { state.answers = [:] }
            return state.answers
        }
    }

    func close() {
        state.withLock { state in
            UnixSocket.end(state.wakeEnd)
            state.wakeEnd = -1
        }
    }
}
