import PathReport
import PathWatch

/// The answers, and what is in them.
extension APIDocument {
    static let text: JSONValue = ["type": "string"]

    static func reference(_ name: String) -> JSONValue {
        ["$ref": .string("#/components/schemas/" + name)]
    }

    static func answer(_ meaning: String, _ type: String, _ schema: JSONValue) -> JSONValue {
        [
            "description": .string(meaning),
            "content": .object([(type, .object([("schema", schema)]))]),
        ]
    }

    /// The answers of a route, by their numbers.
    ///
    /// - Parameters:
    ///   - own: of this route.
    ///   - refused: names of `refusals`.
    static func responses(_ own: [String: JSONValue], _ refused: [String]) -> JSONValue {
        var all: Members = own.map { (key: $0.key, value: $0.value) }
        for refusal in refusals where refused.contains(refusal.name) {
            let reference = JSONValue.string("#/components/responses/" + refusal.name)
            all.append((String(refusal.status.rawValue), .object([("$ref", reference)])))
        }
        return .object(all.sorted { $0.key < $1.key })
    }

    /// What is answered in words, with what to do.
    static let refusals: [(name: String, status: HTTPStatus, value: JSONValue)] = [
        refusal("BadRequest", .badRequest, "The query or the body is not as described."),
        refusal("Unauthorized", .unauthorized, "The token is missing or wrong."),
        refusal(
            "Forbidden", .forbidden,
            "The process has no token, or a page of another place asks for a change."),
        refusal(
            "LengthRequired", .lengthRequired, "The length of the body is not known before it."),
        refusal("TooLarge", .bodyTooLarge, "The body is too long."),
        refusal("TargetTooLong", .targetTooLong, "The path with its query is too long."),
        refusal("OtherType", .typeNotSupported, "The body is not JSON."),
        refusal(
            "Misdirected", .misdirected,
            "A process without a token was asked under another name than that of this host."),
        refusal(
            "Unavailable", .unavailable,
            "There is too much to do, or the process ends; a change that takes longer than a minute "
                + "may still be made."),
    ]

    private static func refusal(
        _ name: String, _ status: HTTPStatus, _ meaning: String
    ) -> (name: String, status: HTTPStatus, value: JSONValue) {
        var content: Members = [("text/plain; charset=utf-8", ["schema": text])]
        // A change that finds no place is answered as every other one.
        if status == .unavailable {
            content.append((WatchRoute.json, ["schema": reference("Answer")]))
        }
        return (
            name, status, ["description": .string(meaning), "content": .object(content)]
        )
    }

    static let schemas: Members = [
        (
            "Answer",
            object(
                [
                    ("request", described("Its words.")),
                    ("by", ["type": "string", "enum": ["socket", "http", "signal"]]),
                    ("done", ["type": "boolean"]),
                    ("changes", list(reference("Change"))),
                    ("not_changed", list(reference("Change"))), ("notes", list(text)),
                    ("text", described("All of it in a line.")),
                ],
                optional: [
                    ("reason", described("Why it was not done.")),
                    ("exit_code", ["type": "integer"]),
                ])
        ),
        (
            "Change",
            object([
                ("key", described("As in a configuration file, as 'path'.")),
                ("before", list(text)), ("after", list(text)),
                ("effect", ["type": "string"]),
            ])
        ),
        (
            "Status",
            object([
                (
                    "processes",
                    list(
                        object([
                            ("version", text), ("command", text),
                            ("name", ["type": ["string", "null"]]),
                            ("process", ["type": "integer"]),
                            ("running_seconds", ["type": "number"]),
                            ("sessions", list(["type": "object"])),
                            ("flows", list(["type": "object"])),
                            ("requests", list(["type": "object"])),
                        ]))
                )
            ])
        ),
        (
            "History",
            object([
                ("start", ["type": "integer"]), ("step_seconds", ["type": "integer"]),
                (
                    "paths",
                    list(
                        object([
                            ("name", text), ("bytes_sent", figures), ("bytes_received", figures),
                            ("rtt_ms", figures), ("loss_share", figures), ("late_share", figures),
                            ("state", list(["type": "integer"])),
                        ]))
                ),
            ])
        ),
    ]

    private static let figures = list(["type": ["number", "null"]])

    private static func described(_ meaning: String) -> JSONValue {
        ["type": "string", "description": .string(meaning)]
    }

    private static func list(_ items: JSONValue) -> JSONValue {
        ["type": "array", "items": items]
    }

    private static func object(_ members: Members, optional: Members = []) -> JSONValue {
        [
            "type": "object",
            "required": .array(members.map { .string($0.key) }),
            "properties": .object(members + optional),
        ]
    }
}
