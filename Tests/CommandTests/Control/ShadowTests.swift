import Glibc
import Testing

@testable import PathwiseCommand

/// A policy in the shadow of running processes: shown, promoted, taken back.
@Suite(.timeLimit(.minutes(5))) struct ShadowTests {
    private func control(_ state: String, _ words: String) throws -> Finished {
        try Pathwise(
            ["control", "--state", state] + words.split(separator: " ").map(String.init)
        ).wait()
    }

    /// The open connection goes on through all changes, and what is shown follows them.
    @Test func aForwardHasAShadow() throws {
        let server = try RunningServer.joined()
        let echo = try EchoServer()
        defer { echo.stop() }
        let state = server.folder.file("van")
        let client = try server.forward(
            "tcp:0=127.0.0.1:\(echo.port)", "--path", "a=127.0.0.1", "--path", "b=127.0.0.2",
            "--policy", "exp3", "--shadow", "steady", "--http", "127.0.0.1:0")
        let page = try Watched(client)
        let stream = try PlainConnection(to: try port(of: "tcp", in: client.output))
        func talk() {
            for step in 0..<60 { #expect(stream.exchange([UInt8(step)], half: false).count == 1) }
        }
        func shows(_ mark: String) throws -> Bool {
            for _ in 0..<50 {
                talk()
                if try page.body("/status").contains(mark) { return true }
            }
            return false
        }
        #expect(try shows("\"shadow\":{\"policy\":\"steady\",\"model_hash\":null}"))
        #expect(try shows("\"agreement\":"))
        let text = try Pathwise(["status", "--state", state]).wait().output
        #expect(text.contains("in the shadow: steady, of "), "\(text)")
        #expect(text.contains("\n  late") && text.contains("\n  p99, ms"), "\(text)")
        let judgement = text.split(separator: "\n").drop { !$0.contains("in the shadow") }
            .prefix { !$0.hasPrefix("path") }
        #expect(judgement.count > 5 && judgement.allSatisfy { $0.count <= 80 }, "\(text)")
        #expect(!judgement.contains { $0.contains("give --") }, "\(text)")
        let metrics = try page.metrics()
        #expect(metrics.values.keys.contains { $0.hasPrefix("pathwise_shadow_info{") })
        for name in [
            "pathwise_judged_decisions", "pathwise_shadow_agreement_ratio",
            "pathwise_shadow_effective_decisions",
        ] {
            #expect(
                metrics.values.contains { $0.key.hasPrefix("\(name){") && $0.value > 0 }, "\(name)")
        }
        for (words, text, mark) in [
            (
                "promote",
                "forward.policy steady instead of exp3; forward.shadow exp3 instead of steady",
                "\"shadow\":{\"policy\":\"exp3\""
            ),
            (
                "rollback",
                "forward.policy exp3 instead of steady; forward.shadow steady instead of exp3",
                "\"shadow\":{\"policy\":\"steady\""
            ),
            (
                "shadow learned", "forward.shadow learned instead of steady",
                "\"shadow\":{\"policy\":\"learned\""
            ),
            ("shadow none", "forward.shadow without learned", "\"shadow\":null"),
        ] {
            let run = try control(state, words)
            #expect(run.status == 0, "\(words): \(run.errors)")
            #expect(run.output == "\(words): \(text)\n")
            #expect(try shows(mark), "\(words)")
        }
        for (words, text) in [
            ("rollback", "nothing was promoted since the start"),
            ("promote", "no policy is in the shadow"),
            ("shadow ecf", "policy ecf cannot be in the shadow"),
            ("shadow /no/file.safetensors", "no/file"),
        ] {
            let run = try control(state, words)
            #expect(run.status != 0 && run.errors.contains(text), "\(words): \(run)")
        }
        #expect(stream.exchange([1]) == [1])
    }

    /// On a server the sessions of all clients follow, and those that begin later.
    @Test func aServerHasAShadow() throws {
        let server = try RunningServer.joined(["--shadow", "steady"])
        let echo = try EchoServer()
        defer { echo.stop() }
        let client = try server.forward(
            "tcp:0=127.0.0.1:\(echo.port)", "--path", "a=127.0.0.1", "--path", "b=127.0.0.2")
        let stream = try PlainConnection(to: try port(of: "tcp", in: client.output))
        func shows(_ mark: String) throws -> Bool {
            for _ in 0..<50 {
                for _ in 0..<20 { #expect(stream.exchange([7], half: false) == [7]) }
                let run = try Pathwise(["status", "--json", "--state", server.state]).wait()
                if run.output.contains(mark) { return true }
            }
            return false
        }
        #expect(try shows("\"shadow\":{\"policy\":\"steady\",\"model_hash\":null}"))
        let run = try control(server.state, "promote")
        #expect(
            run.output
                == "promote: serve.policy steady instead of min-rtt; serve.shadow min-rtt instead of "
                + "steady\n")
        #expect(try shows("\"shadow\":{\"policy\":\"min-rtt\",\"model_hash\":null}"))
        let back = try control(server.state, "rollback")
        #expect(
            back.output
                == "rollback: serve.policy min-rtt instead of steady; serve.shadow steady instead of "
                + "min-rtt\n"
        )
        #expect(try shows("\"shadow\":{\"policy\":\"steady\",\"model_hash\":null}"))
        #expect(stream.exchange([1]) == [1])
    }

    @Test func aTransferHasAShadow() throws {
        let refused = try Pathwise.run("send", "/etc/hostname", "--shadow", "redundant")
        #expect(refused.status != 0)
        let checked = Scratch()
        write(
            Array("[forward]\nforwards = [\"udp:1\"]\nshadow = \"blest\"\n".utf8),
            to: checked.file("c"))
        let run = try Pathwise.run("config", "check", checked.file("c"))
        #expect(run.status == 78 && (run.output + run.errors).contains("cannot be in the shadow"))
    }
}
