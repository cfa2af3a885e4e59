public import PathNetwork
import PathTelemetry

/// Why a forward cannot be set up.
public enum ForwardError: Error, Hashable, Sendable {
    /// The text is not HOST:PORT.
    case malformedTarget(String)
    /// An argument of `forward`, and what to write instead.
    case malformedForward(String, String)
    /// A rule, and what to write instead.
    case malformedRule(String, String)
    /// A forward whose address cannot be listened on.
    case listen(forward: String, NetworkError)
    /// The peer broke the forwarding protocol.
    case malformedOpening(String)
}

extension ForwardError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .malformedTarget(let text):
            "'\(EscapedText(text))' is not HOST:PORT; "
                + "write example.net:443, 192.0.2.1:443 or [2001:db8::1]:443"
        case .malformedForward(let text, let fix):
            "'\(EscapedText(text))' is not a forward; \(fix)"
        case .malformedRule(let text, let fix):
            "'\(EscapedText(text))' is not a rule; \(fix)"
        case .listen(let forward, let error): "forward \(EscapedText(forward)): \(error)"
        case .malformedOpening(let what):
            "the peer does not keep to the forwarding protocol (\(EscapedText(what))); "
                + "use the same version on both sides"
        }
    }
}
