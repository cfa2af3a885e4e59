import PathTelemetry
import Testing

@testable import PathReport

@Suite struct TextTests {
    @Test func tablesAreAligned() {
        var table = TextTable([
            TextTable.Column("policy", .left), TextTable.Column("late"),
            TextTable.Column("p95"),
        ])
        table.add(["min-rtt", "1.25 %", "84.2 ms"])
        table.add(["learned", "0 %", "9 ms"])
        table.add(["日本 ü", "100 %"])
        #expect(
            table.text() == """
                policy     late      p95
                -------  ------  -------
                min-rtt  1.25 %  84.2 ms
                learned     0 %     9 ms
                日本 ü    100 %

                """)
        #expect(table.text(styled: true).hasPrefix("\u{1b}[1mpolicy     late      p95\u{1b}[0m\n"))
    }

    @Test(arguments: [
        (0.0, "0 s"), (0.000_012_34, "12.3 us"), (0.000_999_9, "1 ms"), (0.0124, "12.4 ms"),
        (0.9999, "1 s"), (3.2, "3.2 s"), (119.96, "120 s"), (250, "4 min 10 s"),
        (9000, "2 h 30 min"), (-0.004, "-4 ms"), (.infinity, "inf"), (.nan, "-"),
    ])
    func times(seconds: Double, text: String) {
        #expect(NumberText.time(seconds) == text)
    }

    @Test(arguments: [
        (0.0, "0 B"), (999, "999 B"), (999.6, "1 kB"), (12_345, "12.3 kB"), (1.5e9, "1.5 GB"),
        (2e18, "2000 PB"),
    ])
    func bytes(count: Double, text: String) { #expect(NumberText.bytes(count) == text) }

    @Test func otherNumbers() {
        #expect(NumberText.rate(bytesPerSecond: 2.5e6) == "20 Mbit/s")
        #expect(NumberText.percent(0.12345) == "12.3 %")
        #expect(NumberText.count(-1_234_567) == "-1 234 567")
        #expect(NumberText.count(.min) == "-9 223 372 036 854 775 808")
        #expect(NumberText.count(12) == "12")
        #expect(NumberText.fixed(-0.004, 2) == "0.00")
        #expect(NumberText.fixed(2.005, 1) == "2.0")
        #expect(NumberText.fixed(1e300, 2) == "1e+300")
        #expect(NumberText.short(0.000123456) == "0.000123")
        #expect(NumberText.short(1234.5) == "1235" || NumberText.short(1234.5) == "1234")
        #expect(NumberText.short(100) == "100")
        #expect(NumberText.short(1e-300) == "1e-300")
    }

    @Test func jsonKeepsOrderAndNumbers() {
        let value: JSONValue = [
            "z": 1, "a": [true, nil, "q\"\\\n\u{1}ü"], "x": 0.1, "e": 1e-7, "t": 3.0,
            "i": .number(.infinity), "empty": [], "none": .object([]),
        ]
        #expect(
            value.text() == #"{"z":1,"a":[true,null,"q\"\\\n\u0001ü"],"x":0.1,"e":1e-07,"#
                + #""t":3,"i":null,"empty":[],"none":{}}"#)
        #expect(
            JSONValue.array([1, ["k": []]]).text(pretty: true) == """
                [
                  1,
                  {
                    "k": []
                  }
                ]
                """)
    }

    @Test func aLongCellDoesNotFillEveryRow() {
        var table = TextTable([TextTable.Column("name", .left), TextTable.Column("count")])
        for row in 0..<1_000 {
            table.add([row == 7 ? String(repeating: "n", count: 8_000) : "a", "1"])
        }
        let text = table.text()
        #expect(text.utf8.count < 90_000)
        let lines = text.split(separator: "\n")
        #expect(lines[2] == "a" + String(repeating: " ", count: 59) + "      1")
        #expect(lines[9].hasSuffix("n      1"))
    }
}
