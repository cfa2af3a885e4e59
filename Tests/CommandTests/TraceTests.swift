import Testing

struct TraceTests {
    private let scratch = Scratch()
    private var trace: String { scratch.file("world.trace") }

    @Test func info() throws {
        var world = World(seed: 1)
        try world.write(500, to: trace)
        let run = try Pathwise.run("trace", "info", trace)
        #expect(run.status == 0)
        #expect(run.output.contains("500 decisions, 500 with an outcome, 0 path samples, 0 events"))
        #expect(run.output.contains("dsl, lte, sat"))
        let json = try JSONReading(try Pathwise.run("trace", "info", trace, "--json"))
        #expect(try json.number("decisions") == 500)
        #expect(try json.text("sessions", 0, "policy") == "weighted")
        #expect(try json.text("sessions", 0, "paths", 1, "name") == "lte")
        #expect(try json.number("sessions", 0, "decisions_per_second") == 100)
    }

    @Test func verify() throws {
        var world = World(seed: 2)
        try world.write(100, to: trace)
        let run = try Pathwise.run("trace", "verify", trace)
        #expect(run.output == "\(trace): 100 decisions, 100 outcomes, sound\n")
        #expect(run.status == 0)
    }

    @Test(arguments: ["csv", "jsonl"])
    func export(format: String) throws {
        var world = World(seed: 3)
        try world.write(50, to: trace)
        let file = scratch.file("out")
        let run = try Pathwise.run(
            "trace", "export", trace, "--format", format, "--output", file)
        #expect(run.status == 0)
        #expect(run.output.isEmpty)
        let lines = text(of: file).split(separator: "\n")
        #expect(lines.count == (format == "csv" ? 51 : 50))
        let printed = try Pathwise.run("trace", "export", trace, "--format", format)
        #expect(printed.output == text(of: file))
        let candidates = try Pathwise.run(
            "trace", "export", trace, "--format", format, "--table", "candidates")
        #expect(
            candidates.output.split(separator: "\n").count == (format == "csv" ? 151 : 150))
    }

    @Test func exportOfASessionThatIsNotThere() throws {
        var world = World(seed: 4)
        try world.write(5, to: trace)
        let run = try Pathwise.run("trace", "export", trace, "--session", "9")
        #expect(run.status == 64)
        #expect(run.errorLine == "pathwise: trace '\(trace)' has no session 9; it has 1")
    }
}
