import Testing

@testable import PathTelemetry

/// `evaluate` on traces in units of the network, and `trace explain`.
struct EvaluateTraceTests {
    private let scratch = Scratch()
    private var trace: String { scratch.file("world.trace") }

    @Test func theNetworkComesBeforeTheValue() throws {
        var world = World(seed: 21)
        let written = try world.write(4_000, to: trace)
        let page = scratch.file("page.html")
        let words = ["evaluate", trace, "--policy", "earliest", "--policy", "logged"]
        let run = try Pathwise(words + ["--report", page]).wait()
        #expect(run.status == 0)
        let table = try #require(run.output.firstRange(of: "p99, ms"))
        let values = try #require(run.output.firstRange(of: "estimator"))
        #expect(table.lowerBound < values.lowerBound)
        for column in ["late", "p50, ms", "cost per GB", "agreement"] {
            #expect(run.output.contains(column) && text(of: page).contains(column), "\(column)")
        }
        let json = try JSONReading(try Pathwise(words + ["--json"]).wait())
        let share = try json.number("recorded_network", "late_share")
        // Forced decisions are not evaluated, and are as often late as others.
        #expect((share - Double(written.late) / 4_000).magnitude < 0.003)
        #expect(try json.number("policies", 1, "network", "late_share") == share)
        #expect(try json.number("policies", 1, "network", "agreement") < 0.4)
        for place in 0..<2 {
            #expect(try json.number("policies", place, "network", "late_interval", 0) < 0.005)
            #expect(try json.number("policies", place, "network", "late_interval", 1) > 0.005)
            var before = 0.0
            for name in ["p50", "p95", "p99"] {
                let value = try json.number(
                    "policies", place, "network", "delivery_ms", name, "value")
                #expect(value > before)
                before = value
            }
        }
        #expect(try json.count("lateness_warnings") == 0)
    }

    @Test func weightsOfTheValueAreTheUsers() throws {
        var world = World(seed: 22)
        try world.write(2_000, to: trace)
        func recorded(_ more: String...) throws -> (value: Double, late: Double) {
            let json = try JSONReading(
                try Pathwise(["evaluate", trace, "--policy", "logged", "--json"] + more).wait())
            return (
                try json.number("recorded", "value"),
                try json.number("recorded_network", "late_share")
            )
        }
        let usual = try recorded()
        let heavy = try recorded("--lateness", "11")
        #expect(usual.late > 0 && heavy.late == usual.late)
        #expect((usual.value - heavy.value - 10 * usual.late).magnitude < 1e-9)
        #expect(try recorded("--price", "0").value == usual.value, "the paths cost nothing")
        for (words, status) in [
            (["--lateness", "-1"], 64 as Int32), (["--price", "inf"], 64),
            (["--margin", "0.1"], 64), (["--gate", "--margin", "2"], 64),
            (["--gate", "--margin", "0.1"], 0),
        ] {
            let run = try Pathwise(["evaluate", trace, "--policy", "logged"] + words).wait()
            #expect(run.status == status, "\(words)")
        }
        let log = try Pathwise.run("evaluate", "--log", "x.csv", "--lateness", "2")
        #expect(log.status == 64)
    }

    @Test func aRecordingCountsOnce() throws {
        var world = World(seed: 23)
        try world.write(300, to: trace)
        let wanted =
            "pathwise: session 1 of '\(trace)' is the same recording as session 1 of '\(trace)'; "
            + "name each recording once"
        for words in [
            ["evaluate", trace, trace, "--policy", "steady"],
            ["train", trace, trace, "--output", scratch.file("m.safetensors")],
            ["trace", "merge", trace, trace, "--output", scratch.file("all.trace")],
        ] {
            let run = try Pathwise(words).wait()
            #expect(run.status == 65, "\(words[0])")
            #expect(run.errorLine == wanted)
        }
    }

    /// The policy earliest uses only one number.
    @Test func explain() throws {
        var world = World(seed: 24)
        try world.write(300, to: trace)
        let words = ["trace", "explain", trace, "--decision", "120", "--policy", "earliest"]
        let run = try Pathwise(words).wait()
        #expect(run.status == 0)
        #expect(run.output.contains("dsl") && run.output.contains("predicted_delivery"))
        let json = try JSONReading(try Pathwise(words + ["--json"]).wait())
        #expect(try json.count("paths") == 3)
        var taken = 0
        for place in 0..<3 {
            #expect(try json.text("paths", place, "terms", 0, "input") == "predicted_delivery")
            let score = try json.number("paths", place, "score")
            #expect(score >= 0.02 && score <= 0.02 * 7.39)
            if try json.bool("paths", place, "taken") { taken += 1 }
        }
        #expect(taken == 1)
        let missing = try Pathwise.run(
            "trace", "explain", trace, "--decision", "300", "--policy", "earliest")
        #expect(missing.status == 65)
        #expect(missing.errorLine == "pathwise: session 1 of '\(trace)' has no decision 300")
    }
}
