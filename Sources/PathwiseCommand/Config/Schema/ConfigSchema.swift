import PathTelemetry

/// All keys of configuration files.
enum ConfigSchema {
    static let sections = [common, serve, forward, send, path]

    /// The section of a header; nil if there is none.
    static func section(_ name: String) -> ConfigSection? {
        sections.first { $0.name == name }
    }

    /// The key of a name such as `serve.hold`; nil if there is none.
    static func key(_ name: String) -> ConfigKey? {
        for section in sections {
            if let key = section.keys.first(where: { section.fullName($0.name) == name }) {
                return key
            }
        }
        return nil
    }

    static let common = ConfigSection(
        name: "", isRepeated: false,
        meaning: "What all commands share; it stands before any table.",
        keys: [
            ConfigKey(
                "state", .text, "a folder", standard: "~/.config/pathwise", option: "--state",
                sample: "/var/lib/pathwise",
                "The folder of keys, lists and counts.", check: ConfigCheck.state),
            ConfigKey(
                "log-level", .text, "error, warning, info, debug", standard: "info",
                option: "--log-level", sample: "warning",
                "The least important lines of the log.",
                check: ConfigCheck.word(LogLevel.allCases.map(\.name))),
            ConfigKey(
                "log-format", .text, "text, json", standard: "text", option: "--log-format",
                sample: "json",
                "The lines of the log: text, or one JSON object each.",
                check: ConfigCheck.word(["text", "json"])),
        ])

    static let serve = ConfigSection(
        name: "serve", isRepeated: false, meaning: "For `pathwise serve`.",
        keys: [
            ConfigKey(
                "listen", .texts, "ADDRESS:PORT", standard: "0.0.0.0:7000 and [::]:7000",
                option: "--listen", sample: "0.0.0.0:7000", "Addresses to listen on.",
                check: ConfigCheck.address),
            ConfigKey(
                "public", .texts, "HOST:PORT", standard: "those of listen, or of this host",
                option: "--public", sample: "vpn.example:7000",
                "Where clients reach this server, for tokens.",
                check: ConfigCheck.publicAddress),
            ConfigKey(
                "forward-allow", .texts, "HOST:PORT, NETWORK:PORTS, none",
                standard: "this host's loopback", option: "--forward-allow",
                sample: "10.0.0.0/8:443",
                "Targets that clients may connect to.", check: ConfigCheck.rule),
            ConfigKey(
                "reverse-allow", .texts, "ADDRESS:PORTS, none",
                standard: "this host's loopback, from port 1024 on", option: "--reverse-allow",
                sample: "127.0.0.1:8000-8100",
                "Addresses that clients may have this server listen on.",
                check: ConfigCheck.rule),
            ConfigKey(
                "client-rate", .text, "a rate, as 20mbit", standard: "no limit",
                option: "--client-rate", sample: "20mbit",
                "Limit of the forwards of each client, both ways together; rate= of its line in "
                    + "`clients` replaces it.", check: ConfigCheck.rate),
            ConfigKey(
                "client-cap", .text, "a size and a period, as 50GB/month", standard: "no limit",
                option: "--client-cap", sample: "50GB/month",
                "Bytes of the forwards of each client in a day, week or month; cap= of its line "
                    + "replaces it.", check: ConfigCheck.cap),
            ConfigKey(
                "client-flows", .number, "1 to 65536", standard: "4096", option: "--client-flows",
                sample: "4096",
                "Flows of each client at once.", check: ConfigCheck.flows),
            ConfigKey(
                "sessions-per-client", .number, "1 to 1024", standard: "8",
                option: "--sessions-per-client", sample: "8",
                "Sessions of each client at once; another one is refused, and told so.",
                check: ConfigCheck.sessions),
            ConfigKey(
                "output", .text, "a folder", standard: "takes no files", option: "--output",
                sample: "/var/lib/pathwise/in",
                "Takes files too, into this folder.", check: ConfigCheck.output),
            ConfigKey(
                "on-conflict", .text,
                ConflictChoice.allCases.map(\.rawValue).joined(separator: ", "),
                standard: ConflictChoice.rename.rawValue, option: "--on-conflict", sample: "rename",
                "What to do with a file whose name exists.",
                check: ConfigCheck.word(ConflictChoice.allCases.map(\.rawValue))),
            ConfigKey(
                "sync", .flag, "true, false", standard: "true", option: "--no-sync", sample: "true",
                "Waits for the disk before a file is reported as stored."),
            policy("what this server sends"), shadow, record, recordRules,
            ConfigKey(
                "hold", .text, "500ms to 1h", standard: "15min", option: "--hold", sample: "15min",
                "How long a session is kept without a packet from its client.",
                check: ConfigCheck.hold),
            congestion,
            ConfigKey(
                "token-lifetime", .text, InviteText.lifetimes, standard: "24h",
                option: "--token-lifetime", sample: "24h", "How long the first token is good.",
                check: ConfigCheck.lifetime),
        ] + watch)

    static let forward = ConfigSection(
        name: "forward", isRepeated: false, meaning: "For `pathwise forward`.",
        keys: [
            ConfigKey(
                "forwards", .texts, "udp:PORT, tcp:[ADDR:]PORT=HOST:PORT, socks:PORT, ...",
                sample: "udp:51820",
                "What this side listens on, with options after a comma as on the command line.",
                check: ConfigCheck.forward),
            ConfigKey(
                "reverse", .texts, "tcp:PORT=HOST:PORT, udp:PORT=HOST:PORT",
                sample: "tcp:2222=localhost:22",
                "What the server listens on; this side connects to the targets.",
                check: ConfigCheck.reverse),
        ] + flows + server + [
            ConfigKey(
                "hold", .text, "500ms to 1h", standard: "15min", option: "--hold", sample: "15min",
                "How long the session is kept without a packet from the server.",
                check: ConfigCheck.hold),
            policy("what this side sends"), shadow, record, recordRules, congestion,
        ] + watch)

    static let send = ConfigSection(
        name: "send", isRepeated: false, meaning: "For `pathwise send`.",
        keys: server + [
            ConfigKey(
                "idle-timeout", .text, "500ms to 1h", standard: "10s", option: "--idle-timeout",
                sample: "10s",
                "Ends the connection after this time without a packet from the server.",
                check: ConfigCheck.hold),
            policy("what this side sends"), shadow, record, congestion,
        ])

    static let path = ConfigSection(
        name: "path", isRepeated: true,
        meaning:
            "One for each path of `forward` and `send`; without any, each usable interface is a "
            + "path.",
        keys: [
            ConfigKey(
                "name", .text, "a-z A-Z 0-9 - _ .", standard: "required",
                option: "--path", sample: "lte", "The name of the path.",
                check: ConfigCheck.path { "\($0)=lo" }),
            ConfigKey(
                "interface", .text, "a name, as eth0", option: "--path", sample: "wwan0",
                "The interface from which it leaves; or else `address`.",
                check: ConfigCheck.path { "p=\($0)" }),
            ConfigKey(
                "address", .text, "a local address", option: "--path", sample: "192.0.2.7",
                "The address from which it leaves; or else `interface`.",
                check: ConfigCheck.path { "p=\($0)" }),
            ConfigKey(
                "remote", .text, "HOST:PORT", standard: "the server's", sample: "198.51.100.1:7000",
                "The server's address for this path only.",
                check: ConfigCheck.path { "p=lo>\($0)" }),
            ConfigKey(
                "weight", .number, "above 0, to 10^6", standard: "1", sample: "1",
                "Its share for the policy weighted.",
                check: ConfigCheck.path { "p=lo,weight=\($0)" }),
            ConfigKey(
                "price", .number, "0 to 10^6", standard: "0", sample: "5",
                "The price of 10^9 bytes.",
                check: ConfigCheck.path { "p=lo,price=\($0)" }),
            ConfigKey(
                "limit", .text, "a rate, as 20mbit", standard: "no limit", sample: "20mbit",
                "Its highest rate.",
                check: ConfigCheck.path { "p=lo,limit=\($0)" }),
            ConfigKey(
                "cap", .text, "a size and a period, as 50GB/month", standard: "no limit",
                sample: "50GB/month",
                "The bytes after which it carries data only while no other path works.",
                check: ConfigCheck.path { "p=lo,cap=\($0)" }),
            ConfigKey(
                "hard", .flag, "true, false", standard: "false", sample: "true",
                "At its cap the path is removed."),
            ConfigKey(
                "kind", .text, linkKinds, standard: "found from the interface", sample: "cellular",
                "The kind of network.", check: ConfigCheck.path { "p=lo,kind=\($0)" }),
            ConfigKey(
                "backup", .flag, "true, false", standard: "false", sample: "true",
                "It carries data only while no other path works."),
        ])

    /// The kinds of links that `--path` knows.
    private static var linkKinds: String {
        LinkKind.allCases.map { "\($0)" }.joined(separator: ", ")
    }
}
