import PathTelemetry
import Testing

@testable import PathReport

/// TOML 1.0 is read as its specification says.
@Suite struct TOMLTests {
    private func parse(_ text: String) throws -> [String: TOMLTable.Entry] {
        try TOMLTable(parsing: text).entries
    }

    private func value(_ text: String) throws -> TOMLValue {
        try #require(try parse("a = " + text)["a"]).value
    }

    @Test(arguments: [
        ("\"a\\tb\\u00e9\\U0001F600\\\"\"", TOMLValue.text("a\tb\u{e9}\u{1F600}\"")),
        ("'C:\\n'", .text("C:\\n")), ("\"\"", .text("")),
        ("\"\"\"\none\ntwo \\\n   three\"\"\"", .text("one\ntwo three")),
        ("'''\nx'y'''", .text("x'y")),
        ("42", .integer(42)), ("-17", .integer(-17)), ("+9", .integer(9)), ("0", .integer(0)),
        ("1_000", .integer(1000)), ("0xDEAD_beef", .integer(0xdead_beef)), ("0o755", .integer(493)),
        ("0b11", .integer(3)), ("9223372036854775807", .integer(.max)),
        ("3.5", .number(3.5)), ("-0.01", .number(-0.01)), ("5e+22", .number(5e22)),
        ("6.626E-34", .number(6.626e-34)), ("1_0.5", .number(10.5)), ("inf", .number(.infinity)),
        ("-inf", .number(-.infinity)),
        ("true", .flag(true)), ("false", .flag(false)),
        ("[1, 2,\n # comment\n 3,]", .array([.integer(1), .integer(2), .integer(3)])),
        ("[[1], [\"x\"]]", .array([.array([.integer(1)]), .array([.text("x")])])),
        ("[]", .array([])),
        ("1979-05-27", .moment("1979-05-27")), ("07:32:00.5", .moment("07:32:00.5")),
        ("1979-05-27T07:32:00Z", .moment("1979-05-27T07:32:00Z")),
        ("1979-05-27 07:32:00", .moment("1979-05-27 07:32:00")),
    ])
    func values(text: String, expected: TOMLValue) throws {
        #expect(try value(text) == expected)
    }

    @Test func tablesAndLines() throws {
        let document = try parse(
            """
            # comment
            title = "x"   # another
            a.b.c = 1
            "quoted key" = 2
            point = { x = 1, y.z = 2 }

            [server]
            port = 80
            [server.limits]
            rate = 5
            [[link]]
            name = "one"
            [[link.outage]]
            at = 1
            [[link.outage]]
            at = 2
            [[link]]
            name = "two"
            [link.up]
            loss = 3
            """)
        #expect(document["title"] == TOMLTable.Entry(value: .text("x"), line: 2))
        guard case .table(let a)? = document["a"]?.value,
            case .table(let b)? = a.entries["b"]?.value
        else { return #expect(Bool(false)) }
        #expect(b.entries["c"]?.value == .integer(1))
        #expect(document["quoted key"]?.value == .integer(2))
        guard case .table(let server)? = document["server"]?.value,
            case .table(let limits)? = server.entries["limits"]?.value,
            case .array(let links)? = document["link"]?.value, links.count == 2,
            case .table(let first) = links[0], case .table(let second) = links[1],
            case .array(let outages)? = first.entries["outage"]?.value,
            case .table(let outage) = outages[1], case .table(let up)? = second.entries["up"]?.value
        else { return #expect(Bool(false)) }
        #expect(server.line == 7 && limits.entries["rate"]?.line == 10)
        #expect(first.line == 11 && second.line == 17 && outages.count == 2)
        #expect(outage.entries["at"] == TOMLTable.Entry(value: .integer(2), line: 16))
        #expect(up.entries["loss"] == TOMLTable.Entry(value: .integer(3), line: 20))
    }

    @Test(arguments: [
        ("a = ", 1), ("a = = 1", 1), ("a", 1), ("= 1", 1), ("a = 1 b = 2", 1),
        ("\na = 1\na = 2", 3),
        ("[a]\n[a]", 2), ("a = 1\n[a]", 2), ("a = 1\na.b = 2", 2), ("[[a]]\n[a]", 2),
        ("[a]\n[[a]]", 2), ("a = { b = 1 }\n[a.c]", 2), ("a = [1]\n[[a]]", 2),
        ("[a.b]\n[a]\nb = 1", 3),
        ("a = \"x", 1), ("a = \"x\ny\"", 1), ("a = \"\\q\"", 1), ("a = \"\\uD800\"", 1),
        ("a = '''x", 1), ("a = 01", 1), ("a = 1__0", 1), ("a = _1", 1), ("a = 1.", 1),
        ("a = .5", 1), ("a = 1e", 1), ("a = 9223372036854775808", 1), ("a = 0x", 1), ("a = yes", 1),
        ("a = [1 2]", 1), ("a = [1", 1), ("a = { b = 1", 1), ("a = { b = 1,\n}", 1), ("[a", 1),
        ("[[a]", 1), ("[]", 1), ("[a]]", 1), ("a = \"\u{1}\"", 1),
    ])
    func whatIsNoTOML(text: String, line: Int) {
        do throws(TOMLProblem) {
            let table = try TOMLTable(parsing: text)
            Issue.record("accepted: \(table)")
        } catch {
            #expect(error.line == line, "\(error)")
        }
    }

    /// Brackets without end are refused and do not exhaust the stack.
    @Test func depth() {
        for text in [
            "a = " + String(repeating: "[", count: 100_000),
            "a = " + String(repeating: "{a=", count: 100_000),
            String(repeating: "a.", count: 100_000) + "a = 1",
        ] {
            #expect(throws: TOMLProblem.self) { try TOMLTable(parsing: text) }
        }
    }

    /// Any bytes are read or refused.
    @Test func anyBytes() {
        var random = SeededGenerator(seed: 8)
        let alphabet = Array("[]{}=.,\"'\\#\n\r \tab01_-+eu:\u{e9}".utf8) + [0x90, 0xff, 0]
        var accepted = 0
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
            }
            if (try? TOMLTable(parsing: String(decoding: bytes, as: UTF8.self))) != nil {
                accepted += 1
            }
        }
        #expect(accepted > 100 && accepted < 10_000, "\(accepted)")
    }
}
