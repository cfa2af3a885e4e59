extension ServeCommand: Configurable {
    static var configName: String { "serve" }

    static var bindings: [ConfigBinding<ServeCommand>] {
        ConfigBinding.log(\.format) + [
            ConfigBinding("state", \.state.state),
            ConfigBinding("serve.listen", \.listen),
            ConfigBinding("serve.public", \.publicAddress),
            ConfigBinding("serve.forward-allow", \.forwardAllow),
            ConfigBinding("serve.reverse-allow", \.reverseAllow),
            ConfigBinding("serve.client-rate", \.limits.clientRate),
            ConfigBinding("serve.client-cap", \.limits.clientCap),
            ConfigBinding("serve.client-flows", \.limits.clientFlows),
            ConfigBinding("serve.sessions-per-client", \.sessionsPerClient),
            ConfigBinding("serve.output", \.output),
            ConfigBinding(
                "serve.on-conflict", given: { $0.onConflict.map { [$0.rawValue] } ?? [] },
                set: { $0.onConflict = $1.first.flatMap(ConflictChoice.init(rawValue:)) }),
            ConfigBinding("serve.sync", \.noSync, when: "false"),
            ConfigBinding("serve.policy", \.policy),
            ConfigBinding("serve.shadow", \.shadow),
            ConfigBinding("serve.record", \.record),
            ConfigBinding("serve.record-rules", \.recordRules),
            ConfigBinding("serve.hold", \.hold),
            ConfigBinding("serve.congestion", \.congestion),
            ConfigBinding("serve.token-lifetime", \.tokenLifetime),
            ConfigBinding("serve.http", \.watch.http),
            ConfigBinding("serve.http-token", \.watch.httpToken),
        ]
    }
}

extension ForwardCommand: Configurable {
    static var configName: String { "forward" }

    static var bindings: [ConfigBinding<ForwardCommand>] {
        ConfigBinding.server("forward", \.server, \.psk) + ConfigBinding.log(\.format) + [
            ConfigBinding("path", \.path),
            // Forwards of the command line stand for all of the file's.
            ConfigBinding("forward.forwards", \.forwards).yielding(to: ["forward.reverse"]),
            ConfigBinding("forward.reverse", \.reverseForward).yielding(to: ["forward.forwards"]),
            ConfigBinding("forward.deadline", \.deadline),
            ConfigBinding("forward.ordered", \.ordered),
            ConfigBinding("forward.redundancy", \.redundancy),
            ConfigBinding("forward.class", \.flowClass),
            ConfigBinding("forward.exclude-interface", \.interfaces.excludeInterface),
            ConfigBinding("forward.hold", \.hold),
            ConfigBinding("forward.policy", \.policy),
            ConfigBinding("forward.shadow", \.shadow),
            ConfigBinding("forward.record", \.record),
            ConfigBinding("forward.record-rules", \.recordRules),
            ConfigBinding("forward.congestion", \.congestion),
            ConfigBinding("forward.http", \.watch.http),
            ConfigBinding("forward.http-token", \.watch.httpToken),
        ]
    }
}

extension SendCommand: Configurable {
    static var configName: String { "send" }
    static var fewestWords: [String] { ["-"] }

    static var bindings: [ConfigBinding<SendCommand>] {
        ConfigBinding.server("send", \.server, \.transfer.psk) + [
            ConfigBinding("path", \.path),
            ConfigBinding("send.exclude-interface", \.interfaces.excludeInterface),
            ConfigBinding("send.idle-timeout", \.transfer.idleTimeout),
            ConfigBinding("send.policy", \.policy),
            ConfigBinding("send.shadow", \.shadow),
            ConfigBinding("send.record", \.transfer.record),
            ConfigBinding("send.congestion", \.transfer.congestion),
        ]
    }
}
