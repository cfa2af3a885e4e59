/// A change of a running process, as a request asks for it.
enum ControlAction: Equatable, Sendable {
    /// A setting of a path that may be changed while it is used.
    enum PathSetting: String, Equatable, Sendable, CaseIterable {
        case limit, cap, weight, price
    }

    /// Reads the configuration file again.
    case reload
    case addPath(String)
    case removePath(String)
    case setPath(String, PathSetting, String)
    case policy(String)
    /// The policy before the latest change of it.
    case formerPolicy
    /// A policy in the shadow; `none` ends it.
    case shadow(String)
    /// The policy in the shadow decides, and the one that decided is in the shadow.
    case promote
    /// The policies before the latest `promote`.
    case rollback
    case addForward(String)
    case removeForward(String)
    case allowClient(name: String, key: String, words: [String])
    case revokeClient(String)
    /// Records to a file or folder.
    case record(String)
    case stopRecording
}

/// By what a request came.
enum ControlOrigin: String, Equatable, Sendable {
    /// The socket of the process: `pathwise control` and `reload`.
    case socket
    /// `--http`, with its token.
    case http
    case signal
}

/// One request that running processes take: its words, arguments and effect.
///
/// The command `control`, its help, the reader of the socket, and the routes of `--http` with their
/// description are made from these.
struct ControlRequest: Sendable {
    /// An argument, for people.
    struct Argument: Sendable {
        var name: String
        var meaning: String
        /// Whether it may be left out, or repeated.
        var isRest = false

        /// Its name in an object of JSON.
        var key: String { name.lowercased() + (isRest ? "s" : "") }
    }

    let words: [String]
    var arguments: [Argument] = []
    /// What it does, in a sentence.
    let effect: String
    /// The commands whose processes take it.
    let processes: [String]
    /// The action, of as many arguments as there are.
    let action: @Sendable ([String]) -> ControlAction?

    /// The words and arguments, as one writes them.
    var usage: String {
        (words + arguments.map { $0.isRest ? "[\($0.name)...]" : $0.name }).joined(separator: " ")
    }
}
