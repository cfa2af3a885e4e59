import PathForward
import Pathwise
import Testing

@testable import PathWatch
@testable import PathwiseCommand

/// Mutants of requests to running processes: each is refused with what to write, or gives a command line
/// that is as good as one of the start.
extension ReaderFuzzTests {
    @Test func requestsOfControl() throws {
        let originals = [
            "path\tadd\tlte=wwan0,price=5,cap=50GB/month,hard", "path\tlimit\ta\t20mbit",
            "path\tcap\ta\tnone", "path\tremove\tb", "policy\tlearned:epsilon=0.02",
            "forward\tadd\tudp:9000=studio:10080,ordered=400ms", "forward\tremove\ttcp:1",
            "record\tstart\t/var/lib/pathwise/traces/", "record\tstop", "reload",
            "client\trevoke\tvan",
            "client\tallow\tvan\tAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\trate=20mbit",
        ]
        let words =
            ControlCatalogue.requests.flatMap(\.words)
            + ["\t", "none", ",", "=", ">", "hard", "backup", "\\", "\"", "#"]
        var plain = try ForwardCommand.line(["tcp:1", "tcp:2", "--path", "a=lo"])
        plain.path.append("b=127.0.0.2,limit=5mbit")
        fuzz("requests", originals, words: words, usually: 4000, allowing: [64, 65, 66, 69]) {
            mutant, index in
            let text = String(decoding: mutant, as: UTF8.self)
            let parts = text.split(separator: "\t", omittingEmptySubsequences: false)
                .map(String.init)
            guard parts.allSatisfy(StatusRequest.isWord) else {
                throw CommandFailure("no request", .usage)
            }
            let action = try ControlCatalogue.action(of: parts)
            if case .allowClient(let name, let key, let words) = action {
                let file = ClientsFile(Array(ClientsFile.template.utf8), file: "clients")
                let content = try file.adding([name, key] + words)
                #expect(ClientsFile(content, file: "clients").problems.isEmpty, "mutant \(index)")
                return
            }
            var notes: [String] = []
            let command = try plain.changed(
                by: action, found: { () throws(CommandFailure) in [] }, notes: &notes)
            let paths = try PathArgument.parse(command.path)
            #expect(!paths.isEmpty && notes.isEmpty, "mutant \(index)")
            _ = try ForwardSetup.specs(command)
            for difference in plain.differences(to: command) {
                #expect(!difference.text.isEmpty && difference.effect != .never, "mutant \(index)")
            }
        }
    }

    /// Bodies of changes over HTTP: each gives words that the socket would take too, or is refused.
    @Test func bodiesOfControl() throws {
        let originals = [
            ("/control/path/add", "{\"spec\":\"lte=wwan0,price=5\"}"),
            ("/control/path/limit", "{\"name\": \"a\", \"rate\": \"20mbit\"}"),
            ("/control/policy", "{\"policy\":\"\\u006cearned\\ud83d\\ude00\"}"),
            ("/control/client/allow", "{\"name\":\"v\",\"key\":\"k\",\"options\":[\"r=1\",\"b\"]}"),
            ("/control/record/stop", "{}"),
        ]
        let words = [
            "{", "}", "[", "]", "\"", ":", ",", "\\", "\\u", "\\ud800", "\\udc00", "null", "true",
            "1e5", "\"name\"", "\"options\"", "{}", "[]", "\\n", "\u{0}",
        ]
        fuzz(
            "bodies", originals.map(\.1), words: words, usually: 20_000, allowing: [64]
        ) { mutant, index in
            var request = HTTPRequest()
            request.type = "application/json"
            request.body = mutant
            guard let route = ControlRoute.find(originals[index % originals.count].0, for: nil)
            else {
                Issue.record("no route")
                return
            }
            let found: [String]
            do throws(ControlBody.Problem) { found = try route.words(of: request) } catch {
                throw CommandFailure(error.text, .usage)
            }
            #expect(found.starts(with: route.request.words), "mutant \(index)")
            #expect(found.allSatisfy(StatusRequest.isWord), "mutant \(index)")
            #expect(found.allSatisfy { $0.unicodeScalars.count <= ControlRoute.longestWord })
        }
    }
}
