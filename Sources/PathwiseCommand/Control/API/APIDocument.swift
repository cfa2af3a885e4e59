import PathReport
import PathWatch
import Pathwise

/// The description of everything that `--http` answers, as OpenAPI 3.1: what may be read by
/// `WatchRoute`, and the changes of the catalogue.
enum APIDocument {
    typealias Members = [(key: String, value: JSONValue)]

    /// - Parameter process: the command that answers; nil describes what all of them do.
    static func text(for process: String? = nil) -> String {
        value(for: process).text(pretty: true) + "\n"
    }

    static func value(for process: String?) -> JSONValue {
        let reading = WatchRoute.allCases.map { route in
            (key: route.rawValue, value: JSONValue.object([("get", get(route))]))
        }
        let changing = ControlRoute.all(for: process).map { route in
            (key: route.path, value: JSONValue.object([("post", post(route))]))
        }
        return .object([
            ("openapi", "3.1.0"),
            (
                "info",
                [
                    "title": "Pathwise", "version": .string(PathwiseVersion.text),
                    "summary": "Watch and change a running serve or forward",
                    "description": .string(about),
                    "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
                ]
            ),
            (
                "servers",
                [["url": "http://127.0.0.1:9470", "description": "--http of the process"]]
            ),
            ("security", [["token": []]]),
            ("paths", .object(reading + changing)),
            (
                "components",
                [
                    "securitySchemes": [
                        "token": [
                            "type": "http", "scheme": "bearer",
                            "description": "The line in the file of --http-token.",
                        ]
                    ],
                    "schemas": .object(schemas),
                    "responses": .object(refusals.map { ($0.name, $0.value) }),
                ]
            ),
        ])
    }

    private static let about = """
        What may be read has GET and HEAD, and needs the token if the process has one. Changes have \
        POST and always need it. They are the requests of 'pathwise control', are made one after \
        another, each as a whole or not at all, and are in the log of the process.
        """

    // MARK: reading

    private static func get(_ route: WatchRoute) -> JSONValue {
        var members: Members = [
            ("operationId", .string(name(of: route))), ("summary", .string(summary(of: route))),
            ("tags", ["watch"]),
        ]
        // Everybody may read the page, which asks for the token itself.
        if route == .page { members.append(("security", [])) }
        if route == .history {
            members.append(
                (
                    "parameters",
                    [
                        number("minutes", WatchRoute.minutes, 60, "How far back."),
                        number("points", WatchRoute.points, 360, "The most steps of the answer."),
                    ]
                ))
        }
        var refused = route == .page ? ["Misdirected"] : ["Unauthorized", "Misdirected"]
        if route == .history { refused += ["BadRequest", "TargetTooLong"] }
        if route == .page || route == .events { refused.append("Unavailable") }
        members.append(
            ("responses", responses(["200": content(of: route)], refused)))
        return .object(members)
    }

    private static func name(of route: WatchRoute) -> String {
        switch route {
        case .page: "page"
        case .metrics: "metrics"
        case .status: "status"
        case .events: "events"
        case .history: "history"
        case .description: "description"
        }
    }

    private static func summary(of route: WatchRoute) -> String {
        switch route {
        case .page: "The status page."
        case .metrics: "The metrics for Prometheus."
        case .status: "The object of 'pathwise status --json', with this process alone."
        case .events: "A stream of states and events, which does not end."
        case .history: "What each path did."
        case .description: "This description, with the changes that this process takes."
        }
    }

    private static func content(of route: WatchRoute) -> JSONValue {
        let (type, schema): (String, JSONValue) =
            switch route {
            case .page: ("text/html; charset=utf-8", text)
            case .metrics: (MetricsText.type, text)
            case .events: ("text/event-stream", text)
            case .status: (WatchRoute.json, reference("Status"))
            case .history: (WatchRoute.json, reference("History"))
            case .description: (WatchRoute.json, ["type": "object"])
            }
        return answer(summary(of: route), type, schema)
    }

    private static func number(
        _ name: String, _ range: ClosedRange<Int>, _ usual: Int, _ meaning: String
    ) -> JSONValue {
        [
            "name": .string(name), "in": "query", "description": .string(meaning),
            "schema": [
                "type": "integer", "minimum": .count(range.lowerBound),
                "maximum": .count(range.upperBound), "default": .count(usual),
            ],
        ]
    }

    // MARK: changing

    private static func post(_ route: ControlRoute) -> JSONValue {
        let request = route.request
        var members: Members = [
            ("operationId", .string(request.words.joined(separator: "-"))),
            ("summary", .string(request.effect)),
            (
                "description",
                .string(
                    "As 'pathwise control \(request.usage)', of "
                        + request.processes.map { "'\($0)'" }.joined(separator: " and ") + ".")
            ), ("tags", ["control"]),
        ]
        if !request.arguments.isEmpty {
            members.append(
                (
                    "requestBody",
                    [
                        "required": true,
                        "content": .object([
                            (WatchRoute.json, .object([("schema", body(of: request.arguments))]))
                        ]),
                    ]
                ))
        }
        members.append(
            (
                "responses",
                responses(
                    [
                        "200": answer(
                            "It is done.", WatchRoute.json, reference("Answer")),
                        "422": answer(
                            "It cannot be done, and nothing has changed.", WatchRoute.json,
                            reference("Answer")),
                    ],
                    [
                        "BadRequest", "Unauthorized", "Forbidden", "LengthRequired", "TooLarge",
                        "OtherType", "Unavailable",
                    ])
            ))
        return .object(members)
    }

    private static func body(of arguments: [ControlRequest.Argument]) -> JSONValue {
        let word: Members = [
            ("type", "string"), ("minLength", 1), ("maxLength", .count(ControlRoute.longestWord)),
            ("pattern", "^[^\\u0000-\\u001f\\u007f]*$"),
        ]
        let properties: Members = arguments.map { argument in
            let meaning = JSONValue.string("\(argument.name): \(argument.meaning)")
            guard argument.isRest else {
                return (argument.key, .object(word + [("description", meaning)]))
            }
            return (
                argument.key,
                [
                    "type": "array", "items": .object(word),
                    "maxItems": .count(ControlRoute.mostWords), "description": meaning,
                ]
            )
        }
        return [
            "type": "object", "properties": .object(properties),
            "required": .array(arguments.filter { !$0.isRest }.map { .string($0.key) }),
            "additionalProperties": false,
        ]
    }
}
