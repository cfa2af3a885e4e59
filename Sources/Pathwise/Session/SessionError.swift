public import PathLearning
public import PathNetwork
import PathTelemetry
public import PathTransport

/// Why a session could not begin, or ended before its work was finished.
public enum SessionError: Error, Sendable {
    /// The connection ended; the text says how.
    case ended(CloseReason)
    case network(NetworkError)
    /// None of these interfaces of this host leads to the server.
    case noPath([NetworkInterface])
    /// None of the paths that were asked for exists now: each with its name and the reason.
    case absentPaths([AbsentPathReport])
    /// The hard caps of these paths are reached, and no other path is left.
    case capsReached([String])
    /// No address was given: of the server, or to listen on.
    case noAddress
    /// A message cannot arrive by a deadline that has passed.
    case deadline(Duration)
    case crypto(CryptoError)
    /// The policy or its model cannot be used.
    case learning(LearningError)
    case stream(StreamError)
    /// An unexpected error: a bug of this program.
    case unexpected(String)
    /// The peer violated the transfer protocol.
    case transfer(String)
}

extension SessionError {
    /// Converts an error at the start of a session; each room's error keeps its kind.
    init(opening error: any Error) {
        switch error {
        case let error as SessionError: self = error
        case let error as NetworkError: self = .network(error)
        case let error as CryptoError: self = .crypto(error)
        case let error as LearningError: self = .learning(error)
        case let error as StreamError: self = .stream(error)
        default: self = .unexpected("\(error)")
        }
    }
}

extension SessionError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .ended(let reason): SessionError.text(of: reason)
        case .network(let error): "\(error)"
        case .noPath(let interfaces):
            "no network interface leads to the server (this host has "
                + (interfaces.isEmpty
                    ? "none" : interfaces.map(\.name).joined(separator: ", "))
                + "); connect one, or give the paths to use"
        case .absentPaths(let paths):
            "none of the paths can be used now: "
                + paths.map { "\($0.name) (\($0.reason))" }.joined(separator: ", ")
        case .capsReached(let names):
            "no path is left: the caps of \(names.joined(separator: ", ")) are reached; wait for "
                + "the next period, raise cap=, or give another --path"
        case .noAddress: "no address was given; give at least one, as HOST:PORT"
        case .deadline(let deadline):
            "a message with a deadline of \(deadline) can only be late; give one above zero"
        case .crypto(let error): "\(error)"
        case .learning(let error): "\(error)"
        case .stream(let error): "\(error)"
        case .unexpected(let text): "the session could not begin: \(text); report this"
        case .transfer(let text):
            "the peer does not keep to the transfer protocol (\(EscapedText(text))); "
                + "use the same version on both sides"
        }
    }

    static func text(of reason: CloseReason) -> String {
        switch reason {
        case .local: "the connection was closed by this side"
        case .peer where reason.isWithdrawal:
            "the server does not allow this client's key any more; "
                + "to come back, its public key has to be among the clients there again"
        case .peer(_, let text) where reason.isSessionLimit:
            "the server takes no other session of this key" + (text.isEmpty ? "" : ": \(text)")
        case .peer(let code, let reason):
            "the peer closed the connection" + (code == 0 ? "" : " with code \(code)")
                + (reason.isEmpty ? "" : ": \(EscapedText(reason))")
        case .idleTimeout:
            "the peer stopped answering on every path; "
                + "check that it still runs, and the network in between"
        case .forgotten:
            "the server was restarted and does not know this connection any more; connect again"
        case .handshakeTimeout:
            "no answer from the server; check its address and port, that it runs, and that "
                + "firewalls let UDP through"
        case .refused(let reason): SessionError.text(of: reason)
        case .handshakeFailed:
            "the server's answer does not fit its key or the pre-shared key; check the server's "
                + "public key and the pre-shared key on this side, and the keys of the server"
        case .protocolViolation(let text):
            "the peer broke the protocol (\(text)); use the same version on both sides"
        case .cryptography(let text): "cryptography failed: \(text)"
        }
    }

    private static func text(of reason: RefusalReason) -> String {
        switch reason {
        case .wrongServerKey:
            "the server has another key than the one given; "
                + "get its public key with 'pathwise pubkey' there"
        case .unknownClient:
            "the server does not allow this client's key; add its public key to the clients there"
        case .version: "the server speaks another protocol version; update the older side"
        case .busy:
            "the server was busy the whole time: it has all the connections it takes; "
                + "try again later"
        case .cipherSuite: "the server does not take this cipher suite; choose another"
        case .presharedKey:
            "the pre-shared key is not the one that the server has for this client; "
                + "give both sides the same one"
        }
    }
}
