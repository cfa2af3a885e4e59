import Glibc
import PathReport
import PathTelemetry
import Synchronization
import Testing

@testable import PathWatch
@testable import PathwiseCommand

/// `pathwise control` over HTTP: the routes, their description, and who may use them.
@Suite(.timeLimit(.minutes(5))) struct ControlAPITests {
    private let scratch = Scratch()

    private static let description =
        #filePath.split(separator: "/").dropLast(4).reduce("") { $0 + "/" + $1 }
        + "/docs/openapi.json"

    /// The file is what the code says; PATHWISE_UPDATE_GOLDEN=1 writes it.
    @Test func theDescriptionIsThatOfTheCode() throws {
        let found = APIDocument.text()
        if getenv("PATHWISE_UPDATE_GOLDEN") != nil {
            write(Array(found.utf8), to: ControlAPITests.description)
        }
        #expect(text(of: ControlAPITests.description) == found)
        let json = try JSONReading(text: found)
        #expect(try json.text("openapi") == "3.1.0")
        for request in ControlCatalogue.requests {
            let path = "/control/" + request.words.joined(separator: "/")
            let post = ["paths", path, "post"]
            #expect(try json.text(at: post + ["summary"]) == request.effect)
            let schema: [Any] =
                post + ["requestBody", "content", "application/json", "schema"]
            let required = request.arguments.filter { !$0.isRest }
            if request.arguments.isEmpty {
                #expect(json.optionalText(at: schema + ["type"]) == nil)
            } else {
                #expect(try json.bool(at: schema + ["additionalProperties"]) == false)
                for (index, argument) in required.enumerated() {
                    #expect(try json.text(at: schema + ["required", index]) == argument.key)
                    let type = schema + ["properties", argument.key, "type"]
                    #expect(try json.text(at: type) == "string")
                }
                #expect(json.optionalText(at: schema + ["required", required.count]) == nil)
            }
            for status in ["200", "422"] {
                let answer: [Any] = [
                    "responses", status, "content", "application/json", "schema", "$ref",
                ]
                #expect(try json.text(at: post + answer) == "#/components/schemas/Answer")
            }
            for status in ["400", "401", "403", "411", "413", "415", "503"] {
                let reference = try json.text(at: post + ["responses", status, "$ref"])
                let name = reference.split(separator: "/").last.map(String.init) ?? ""
                #expect(try !json.text("components", "responses", name, "description").isEmpty)
            }
        }
        // A process describes what it takes.
        #expect(APIDocument.text(for: "serve").contains("/control/client/revoke"))
        #expect(!APIDocument.text(for: "serve").contains("/control/path/add"))
        #expect(!APIDocument.text(for: "forward").contains("/control/client/revoke"))
    }

    /// A body gives the words that the command line has; everything else is refused, with why.
    @Test func bodiesGiveWords() throws {
        func words(_ path: String, _ body: String, type: String? = "application/json") throws
            -> [String]
        {
            var request = HTTPRequest()
            request.path = path
            request.type = type
            request.body = Array(body.utf8)
            return try #require(ControlRoute.find(path, for: nil)).words(of: request)
        }
        #expect(try words("/control/reload", "", type: nil) == ["reload"])
        #expect(try words("/control/reload", " {} ") == ["reload"])
        #expect(
            try words("/control/path/limit", "{\"rate\":\"20mbit\",\"name\" : \"l\\u0074e\"}\n")
                == ["path", "limit", "lte", "20mbit"])
        #expect(
            try words("/control/policy", "{\"policy\":\"a \\ud83d\\ude00\\/\\\"\"}")
                == ["policy", "a \u{1f600}/\""])
        let allowed = "{\"name\":\"van\",\"key\":\"k\""
        #expect(
            try words("/control/client/allow", allowed + ",\"options\":[\"rate=1mbit\", \"x\"]}")
                == ["client", "allow", "van", "k", "rate=1mbit", "x"])
        #expect(
            try words(
                "/control/client/allow", allowed + "}", type: "Application/JSON; charset=utf-8")
                == ["client", "allow", "van", "k"])
        let many = (0...ControlRoute.mostWords).map { "\"\($0)\"" }.joined(separator: ",")
        for (path, body, reason) in [
            ("path/remove", "", "send an object with 'name'"),
            ("path/remove", "{}", "'name' is missing"),
            ("path/remove", "{\"name\":5}", "'name' has to be a text"),
            ("path/remove", "{\"name\":null}", "'name' has to be a text"),
            ("path/remove", "{\"name\":[\"a\"]}", "'name' has to be a text"),
            ("path/remove", "{\"name\":\"\"}", "'name' needs 1 to 1000 characters"),
            ("path/remove", "{\"name\":\"a\\n\"}", "no control characters"),
            ("path/remove", "{\"name\":\"a\",\"name\":\"b\"}", "a member occurs twice"),
            ("path/remove", "{\"name\":\"a\",\"x\":1}", "'x' is no member; there are 'name'"),
            ("path/remove", "{\"name\":\"a\"} x", "something follows the object"),
            ("path/remove", "{\"name\":\"a\",}", "a text is missing"),
            ("path/remove", "{\"name\" \"a\"}", "a colon is missing"),
            ("path/remove", "{\"name\":{}}", "an object inside"),
            ("path/remove", "{\"name\":\"\\ud83d\"}", "half a character"),
            ("path/remove", "{\"name\":\"\\x\"}", "an unknown escape"),
            ("path/remove", "{\"name\":\"\\u00+1\"}", "four hexadecimal digits"),
            ("path/remove", "[\"a\"]", "'{' is missing"),
            ("path/remove", "{\"name\":\"a", "a text without end"),
            ("path/remove", "{\"name\":\"a\u{1}\"}", "a control character"),
            ("reload", "{\"name\":\"a\"}", "'name' is no member; there are none"),
            ("client/allow", allowed + ",\"options\":\"x\"}", "'options' has to be an array"),
            ("client/allow", allowed + ",\"options\":[\"\"]}", "'options' needs 1 to"),
            ("client/allow", allowed + ",\"options\":[1]}", "a text is missing"),
            ("client/allow", allowed + ",\"options\":[\(many)]}", "more than 60 texts"),
        ] {
            let error = #expect(throws: ControlBody.Problem.self, "\(body)") {
                try words("/control/" + path, body)
            }
            #expect(error?.text.contains(reason) == true, "\(body): \(error?.text ?? "")")
            #expect(error?.status == .badRequest)
        }
        for type in [nil, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
            let error = #expect(throws: ControlBody.Problem.self) {
                try words("/control/path/remove", "{\"name\":\"a\"}", type: type)
            }
            #expect(error?.status == .typeNotSupported)
        }
    }

    /// On every kind of listener and every route, somebody without the token learns and changes
    /// nothing; with it all routes work.
    @Test(arguments: ["forward", "serve"]) func everyRouteWantsTheToken(process: String) throws {
        let asked = Mutex<[[String]]>([])
        let source = Watch.Source(
            command: process, sessions: { [] }, flows: { [] },
            status: {
                ProcessStatus(
                    command: "hidden", name: nil, running: .zero, link: nil, peers: [], flows: [],
                    requests: [])
            },
            change: { words, reply in
                asked.withLock { $0.append(words) }
                var answer = ControlAnswer(request: words.joined(separator: " "))
                if words.contains("busy") { answer.failure = CommandFailure("b", .temporary) }
                if words.contains("wrong") { answer.failure = CommandFailure("w", .usage) }
                reply(answer)
            })
        let token = try WatchToken(file: scratch.file("token"))
        let bearer = "Authorization: Bearer " + text(of: scratch.file("token")).dropLast()
        let changes = ControlRoute.all(for: process)
        #expect(changes.count == (process == "serve" ? 10 : 16))
        let socket = scratch.file("socket")
        for place in ["127.0.0.1:0", "0.0.0.0:0", "unix:" + socket] {
            let address = try WatchAddress(parsing: place)
            let watch = try Watch.open((address, token), historyFile: nil, source)
            defer { watch.close() }
            func ask(_ method: String, _ path: String, _ more: String..., body: String = "") throws
                -> String
            {
                let lines = more.map { $0 + "\r\n" }.joined()
                let request =
                    "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\(lines)"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
                guard case .tcp(_, let port, _) = watch.address else {
                    return try PlainConnection(toSocket: socket).listen(to: request, for: 20)
                }
                return try PlainConnection(to: port).listen(to: request, for: 20)
            }
            let routes = WatchRoute.allCases.map(\.rawValue) + changes.map(\.path) + ["/none"]
            for route in routes {
                for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]
                where route != "/" || method == "POST" {
                    for header in ["X: y", "Authorization: Bearer x", bearer + "x"] {
                        let answer = try ask(method, route, header)
                        #expect(answer.hasPrefix("HTTP/1.1 401 "), "\(method) \(route): \(answer)")
                        #expect(!answer.contains("hidden"))
                    }
                }
            }
            #expect(asked.withLock { $0 } == [])

            for route in changes {
                let members = route.request.arguments.map { argument in
                    "\"\(argument.key)\":" + (argument.isRest ? "[\"r\"]" : "\"v\"")
                }
                let body = "{\(members.joined(separator: ","))}"
                let answer = try ask(
                    "POST", route.path, bearer, "Content-Type: application/json", body: body)
                #expect(answer.hasPrefix("HTTP/1.1 200 "), "\(route.path): \(answer)")
                let words =
                    route.request.words + route.request.arguments.map { $0.isRest ? "r" : "v" }
                #expect(asked.withLock { $0.last } == words)
                #expect(answer.contains("{\"request\":\"\(words.joined(separator: " "))\""))
            }
            asked.withLock { $0 = [] }
            for (body, status) in [("busy", 503), ("wrong", 422)] {
                let answer = try ask(
                    "POST", "/control/policy", bearer, "Content-Type: application/json",
                    body: "{\"policy\":\"\(body)\"}")
                #expect(
                    answer.hasPrefix("HTTP/1.1 \(status) ") && answer.contains("\"done\":false"))
            }
            asked.withLock { $0 = [] }
            for route in WatchRoute.allCases where route != .events {
                let answer = try ask("GET", route.rawValue, bearer)
                #expect(answer.hasPrefix("HTTP/1.1 200 "), "\(route): \(answer.prefix(200))")
            }
            for query in ["minutes=0", "minutes=1441", "points=x", "points="] {
                let answer = try ask("GET", "/history?" + query, bearer)
                #expect(answer.hasPrefix("HTTP/1.1 400 "), "\(query)")
            }
            #expect(
                try ask("GET", "/openapi.json", bearer).hasSuffix(APIDocument.text(for: process)))
            // The requests of other programs are no routes here.
            for route in ControlRoute.all(for: nil)
            where !changes.contains(where: { $0.path == route.path }) {
                #expect(try ask("POST", route.path, bearer).hasPrefix("HTTP/1.1 404 "))
            }
            #expect(asked.withLock { $0 } == [])
        }
    }

    /// What a running program does is the same over both ways, and in its log.
    @Test func aForwardIsChangedOverHTTP() throws {
        let server = try RunningServer.joined()
        let token = scratch.file("token")
        let client = try server.forward(
            "tcp:0=127.0.0.1:9", "--path", "a=127.0.0.1", "--http", "127.0.0.1:0", "--http-token",
            token, "--log-format", "json")
        let watched = try Watched(json: client)
        let bearer = "Authorization: Bearer " + text(of: token).dropLast()
        func post(_ path: String, _ body: String) throws -> (status: String, json: JSONReading) {
            let answer = try PlainConnection(to: watched.port).listen(
                to: "POST /control/\(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                    + "\(bearer)\r\nContent-Type: application/json\r\nContent-Length: "
                    + "\(body.utf8.count)\r\n\r\n\(body)", for: 60)
            let end = try #require(answer.firstRange(of: "\r\n\r\n"), "\(answer)")
            return (
                String(answer.dropFirst(9).prefix(3)),
                try JSONReading(text: String(answer[end.upperBound...]))
            )
        }
        let added = try post("path/add", "{\"spec\":\"b=127.0.0.2,limit=5mbit\"}")
        #expect(added.status == "200")
        #expect(try added.json.bool("done") && added.json.text("by") == "http")
        #expect(
            try added.json.text("text")
                == "path add b=127.0.0.2,limit=5mbit: path with b=127.0.0.2,limit=5mbit")
        #expect(try added.json.text("changes", 0, "effect") == "at once")
        let refused = try post("path/limit", "{\"name\":\"c\",\"rate\":\"1mbit\"}")
        #expect(refused.status == "422")
        #expect(try refused.json.text("reason") == "no path is called 'c'; there are a, b")
        #expect(try refused.json.number("exit_code") == 64)
        let state = server.folder.file("van")
        let run = try Pathwise(["control", "--state", state, "path", "limit", "b", "9mbit"]).wait()
        #expect(run.status == 0, "\(run.errors)")
        #expect(
            eventually {
                let log = client.output
                return log.contains("\"event\":\"changed\"")
                    && log.contains(
                        "\"request\":\"path add b=127.0.0.2,limit=5mbit\",\"by\":\"http\"")
                    && log.contains(
                        "\"request\":\"path limit c 1mbit\",\"by\":\"http\",\"done\":false")
                    && log.contains("\"request\":\"path limit b 9mbit\",\"by\":\"socket\"")
            }, "\(client.output)")
        let status = try Pathwise(["status", "--state", state, "--json"]).wait()
        let told = try JSONReading(status)
        #expect(try told.text("processes", 0, "requests", 0, "by") == "http")
        #expect(try told.text("processes", 0, "requests", 2, "by") == "socket")
        #expect(!client.output.contains(text(of: token).dropLast()))
    }
}
