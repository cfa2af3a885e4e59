import Glibc
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

    @Test func decisionServiceJSON() throws {
        var world = World(seed: 3)
        try world.write(50, to: trace)
        let run = try Pathwise.run("trace", "export", trace, "--format", "dsjson")
        #expect(run.status == 0)
        let lines = run.output.split(separator: "\n")
        #expect(lines.count == 50)
        #expect(lines[0].hasPrefix("{\"_label_cost\":"))
        #expect(lines[24].contains("\"_skipLearn\":true"))
        let refused = try Pathwise.run(
            "trace", "export", trace, "--format", "dsjson", "--table", "events")
        #expect(refused.status == 64)
    }

    @Test func merge() throws {
        var world = World(seed: 5)
        try world.write(40, to: trace)
        let other = scratch.file("other.trace")
        try world.write(60, to: other)
        let merged = scratch.file("merged.trace")
        let run = try Pathwise.run("trace", "merge", trace, other, "--output", merged)
        #expect(
            run.output == "\(merged): 2 sessions of 2 traces, 100 decisions, 100 with an outcome\n")
        #expect(run.status == 0)
        let again = try Pathwise.run("trace", "merge", trace, other, "--output", merged)
        #expect(again.status == 73)
        #expect(again.errorLine?.contains("exists already") == true)
        let json = try JSONReading(try Pathwise.run("trace", "info", merged, "--json"))
        #expect(try json.number("decisions") == 100)
        #expect(try json.text("policies", 0) == "weighted")
    }

    /// A folder of recordings stands for the traces in it, as in `merge`.
    @Test func aFolderOfTraces() throws {
        var world = World(seed: 6)
        let folder = scratch.file("recordings")
        mkdir(folder, 0o700)
        let none = try Pathwise.run("trace", "info", folder)
        #expect(none.status == 66)
        #expect(none.errorLine == "pathwise: the folder '\(folder)' has no file '*.trace'")
        try world.write(1, to: folder + "/1.trace")
        let one = try Pathwise.run("trace", "info", folder)
        #expect(one.output.contains("1 decision, 1 with an outcome, 0 path samples, 0 events"))
        let sound = try Pathwise.run("trace", "verify", folder + "/1.trace")
        #expect(sound.output == "\(folder)/1.trace: 1 decision, 1 outcome, sound\n")
        try world.write(7, to: folder + "/2.trace")
        let both = try Pathwise.run("trace", "info", folder)
        #expect(both.output.contains("/1.trace: ") && both.output.contains("/2.trace: "))
        let json = try JSONReading(list: try Pathwise.run("trace", "info", folder, "--json"))
        #expect(try json.count() == 2)
        #expect(try json.number(1, "decisions") == 7)
        // The exported rows are those of the merged trace, and nothing is left of that.
        let merged = scratch.file("merged.trace")
        #expect(try Pathwise.run("trace", "merge", folder, "--output", merged).status == 0)
        let expected = try Pathwise.run("trace", "export", merged)
        let temporary = scratch.file("temporary")
        mkdir(temporary, 0o700)
        let rows = try Pathwise(
            ["trace", "export", folder], shell: "TMPDIR='\(temporary)' exec \"$@\""
        ).wait()
        #expect(rows.status == 0, "\(rows.errors)")
        #expect(rows.output == expected.output && rows.output.split(separator: "\n").count == 9)
        #expect(Scratch.names(in: temporary).isEmpty)
        let second = try Pathwise.run("trace", "export", folder, "--session", "2")
        #expect(second.output.split(separator: "\n").count == 8)
    }

    @Test func importOfALink() throws {
        let file = scratch.file("lte.down")
        write(Array("0\n50\n250\n".utf8), to: file)
        let run = try Pathwise.run(
            "trace", "import", file, "--name", "lte", "--output", trace, "--json")
        #expect(run.status == 0)
        let json = try JSONReading(run)
        #expect(try json.number("paths", 0, "samples") == 3)
        #expect(try json.text("paths", 0, "format") == "mahimahi")
        write(Array("0\nx\n".utf8), to: file)
        let refused = try Pathwise.run(
            "trace", "import", file, "--output", scratch.file("b.trace"))
        #expect(refused.status == 65)
        #expect(
            refused.errorLine
                == "pathwise: cannot import '\(file)', line 2: 'x' is not a number of milliseconds")
    }

    @Test func exportOfASessionThatIsNotThere() throws {
        var world = World(seed: 4)
        try world.write(5, to: trace)
        let run = try Pathwise.run("trace", "export", trace, "--session", "9")
        #expect(run.status == 64)
        #expect(run.errorLine == "pathwise: trace '\(trace)' has no session 9; it has 1")
    }
}
