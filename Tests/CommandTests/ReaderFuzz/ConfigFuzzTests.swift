import Testing

@testable import PathwiseCommand

/// Mutants of configuration files: each is refused with the line of its first problem, or the command
/// takes all that it says.
extension ReaderFuzzTests {
    private static let originals = [
        """
        state = "/var/lib/pathwise"
        log-format = "json"
        # A server.
        [serve]
        listen = ["0.0.0.0:7000", "[::]:7000"]
        public = "vpn.example:7000"
        forward-allow = ['10.0.0.0/8:443', "studio:8000-8010"]
        client-rate = "20mbit"
        client-cap = "50GB/month"
        client-flows = 512
        on-conflict = "replace"
        sync = false
        policy = "learned:epsilon=0.02"
        hold = "30min"
        token-lifetime = "7d"
        """,
        """
        [forward]
        server = "studio"
        forwards = ["udp:51820", "tcp:8443=10.0.0.5:443,class=media", "socks:1080"]
        reverse = ["tcp:2222=localhost:22"]
        deadline = "200ms"
        class = "interactive"
        exclude-interface = ["tun*"]
        congestion = "cubic"

        [[path]]
        name = "dsl"
        interface = "eth0"
        weight = 2

        [[path]]
        name = "lte"
        address = "192.0.2.7"
        remote = "198.51.100.1:7000"
        price = 4.5
        limit = "20mbit"
        cap = "50GB/month"
        hard = true
        kind = "cellular"
        backup = true

        [send]
        key = "/etc/pathwise/client.key"
        peer = "/etc/pathwise/server.pub"
        idle-timeout = "20s"
        """,
    ]

    @Test func configurationFiles() throws {
        let words =
            ConfigSchema.sections.flatMap { [$0.header] + $0.keys.map(\.name) }
            + ["=", "\"", "[", "]", "[[", "true", "\"\"\"", "{", "}", ",", ">", "\\u0000", "#"]
        let plainServe = try ServeCommand.line()
        let plainForward = try ForwardCommand.line()
        fuzz(
            "configuration files", Self.originals, words: words, usually: 4000, allowing: [78]
        ) { mutant, index in
            let file = ConfigFile(mutant, path: "f.toml")
            let lines = mutant.count { $0 == 10 } + 1
            for problem in file.problems {
                #expect((1...lines).contains(problem.line ?? 0), "mutant \(index): \(problem)")
            }
            guard file.problems.isEmpty else {
                throw ConfigFile.failure(file.problems, of: "f.toml")
            }
            // What the check accepts is what the commands accept.
            let serve = Configured(plainServe, file: file).command
            _ = try serve.limits.limits()
            _ = try PublicAddresses.given(serve.publicAddress)
            _ = try ConnectionArgument.configuration(
                idleTimeout: serve.hold, option: "--hold", congestion: serve.congestion)
            let forward = Configured(plainForward, file: file).command
            let paths = try PathArgument.parse(forward.path)
            #expect(paths.map(\.name).allSatisfy { !$0.isEmpty })
            if !forward.forwards.isEmpty || !forward.reverseForward.isEmpty {
                _ = try ForwardSetup.specs(forward)
            }
            _ = try forward.interfaces.excluded()
        }
    }
}
