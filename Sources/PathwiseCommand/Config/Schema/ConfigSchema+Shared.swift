import Pathwise

/// Keys that several sections have.
extension ConfigSchema {
    static func policy(_ what: String) -> ConfigKey {
        ConfigKey(
            "policy", .text, "a name of `pathwise policies`, or a model file",
            standard: "learned", option: "--policy", sample: "learned", "The policy for \(what).",
            check: ConfigCheck.policy)
    }

    static let shadow = ConfigKey(
        "shadow", .text, "a name of `pathwise policies`, or a model file", standard: "none",
        option: "--shadow", sample: "steady",
        "A policy that decides nothing, and whose results are estimated; `status` shows them.",
        check: ConfigCheck.shadow)

    static let record = ConfigKey(
        "record", .text, "a new file, or a folder with / at its end", standard: "records nothing",
        option: "--record", sample: "/var/lib/pathwise/traces/",
        "Records decisions and outcomes; in a folder one file follows another.",
        check: ConfigCheck.file)

    static let recordRules = ConfigKey(
        "record-rules", .text, RecordingRules.form, standard: RecordingRules.form,
        option: "--record-rules", sample: "age=1h,total=10GB,share=10%",
        "How a folder of `record` is kept: size and age of a file, bytes of all, and the share of the "
            + "decisions that is recorded.", check: ConfigCheck.recordRules)

    static let congestion = ConfigKey(
        "congestion", .text, "model-based, cubic", standard: "model-based",
        option: "--congestion", sample: "model-based", "Congestion control.",
        check: ConfigCheck.congestion)

    /// Where the process can be watched.
    static let watch = [
        ConfigKey(
            "http", .text, "127.0.0.1:PORT, ADDRESS:PORT, unix:PATH", standard: "nowhere",
            option: "--http", sample: "127.0.0.1:9470",
            "Shows what runs to browsers and Prometheus; an address that others can reach needs "
                + "`http-token`.", check: ConfigCheck.watch),
        ConfigKey(
            "http-token", .text, "a file", option: "--http-token",
            sample: "/etc/pathwise/http.token",
            "The token that `http` asks for; it is made if it does not exist.",
            check: ConfigCheck.file),
    ]

    /// The server, and who this side is.
    static let server = [
        ConfigKey(
            "server", .text, "a name that was joined", standard: "the only one",
            option: "--server", sample: "studio",
            "The server; it stands for `to`, `peer` and `key`.",
            check: ConfigCheck.name),
        ConfigKey(
            "to", .texts, "HOST:PORT", standard: "those of the token", option: "--to",
            sample: "vpn.example:7000",
            "The server's addresses.", check: ConfigCheck.address),
        ConfigKey(
            "peer", .text, "a key, or a file with it", option: "--peer",
            sample: "/etc/pathwise/server.pub",
            "The server's public key.", check: ConfigCheck.file),
        ConfigKey(
            "key", .text, "a file", option: "--key", sample: "/etc/pathwise/client.key",
            "This side's private key.",
            check: ConfigCheck.file),
        ConfigKey(
            "psk", .text, "a file", option: "--psk", sample: "/etc/pathwise/shared.psk",
            "The pre-shared key of both sides.",
            check: ConfigCheck.file),
        ConfigKey(
            "exclude-interface", .texts, "a name, with * and ?", option: "--exclude-interface",
            sample: "tun*",
            "Interfaces that do not become paths of their own.", check: ConfigCheck.interface),
    ]

    /// Defaults of the options of all forwards.
    static let flows = [
        ConfigKey(
            "deadline", .text, "1us to 1h", standard: "1s", option: "--deadline", sample: "200ms",
            "Datagrams that are later than this are dropped.", check: ConfigCheck.flow("deadline")),
        ConfigKey(
            "ordered", .text, "1us to 10s", standard: "not in order", option: "--ordered",
            sample: "400ms",
            "Datagrams are handed over in order, and wait this long for a missing one.",
            check: ConfigCheck.flow("ordered")),
        ConfigKey(
            "redundancy", .text, "0% to 100%", standard: "10%", option: "--redundancy",
            sample: "10%",
            "Bytes for copies of datagrams while a path pauses.",
            check: ConfigCheck.flow("redundancy")),
        ConfigKey(
            "class", .text, "interactive, media, bulk", standard: "bulk; media for datagrams",
            option: "--class", sample: "media", "How flows share the paths.",
            check: ConfigCheck.flow("class")),
    ]
}
