/// When a changed key of a file takes effect in a process that runs.
enum ConfigEffect: String, Sendable {
    case atOnce = "at once"
    /// For sessions that begin later; those that there are keep what they have.
    case nextSession = "next session"
    case restart
    /// The command that it is for ends by itself.
    case never = "-"
}

extension ConfigSchema {
    private static let atOnce: Set<String> = [
        "path", "forward.exclude-interface", "forward.forwards", "forward.reverse",
        "forward.deadline", "forward.ordered", "forward.redundancy", "forward.class",
        "forward.policy", "forward.shadow", "forward.record", "forward.record-rules",
        "serve.public",
        "serve.forward-allow", "serve.reverse-allow", "serve.policy", "serve.shadow",
        "serve.client-rate", "serve.client-cap", "serve.client-flows",
        "serve.sessions-per-client", "serve.record", "serve.record-rules", "serve.token-lifetime",
    ]
    private static let nextSession: Set<String> = [
        "forward.hold", "forward.congestion", "serve.hold", "serve.congestion",
    ]

    /// When a changed value takes effect.
    ///
    /// - Parameter key: its full name, as `serve.hold`; of `[[path]]` all are `path`.
    static func effect(of key: String) -> ConfigEffect {
        if key.hasPrefix("send.") { return .never }
        if atOnce.contains(key) || key.hasPrefix("path.") { return .atOnce }
        return nextSession.contains(key) ? .nextSession : .restart
    }
}
