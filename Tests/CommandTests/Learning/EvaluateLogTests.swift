import Testing

@testable import PathTelemetry

/// `evaluate --log`: logged bandit data from a file.
struct EvaluateLogTests {
    private let scratch = Scratch()

    /// A log with two actions; rewards and policy prefer the second.
    private func log(
        _ count: Int, preference: Double, reward: Double? = nil, seed: UInt64 = 3
    ) -> String {
        var generator = SeededGenerator(seed: seed)
        var text = "x0,action,reward,pscore,pi_b_0,pi_b_1,pi_e_0,pi_e_1\n"
        for _ in 0..<count {
            let action = generator.uniform() < preference ? 0 : 1
            let probability = action == 0 ? preference : 1 - preference
            let earned =
                reward ?? (generator.uniform() < (action == 0 ? 0.3 : 0.7) ? 1 : 0)
            text += "\(generator.uniform()),\(action),\(earned),\(probability),\(preference),"
            text += "\(1 - preference),0.25,0.75\n"
        }
        let path = scratch.file("log.csv")
        write(Array(text.utf8), to: path)
        return path
    }

    @Test func jsonHasWhatWasAskedFor() throws {
        let json = try JSONReading(
            try Pathwise.run(
                "evaluate", "--log", log(4_000, preference: 0.5), "--estimator", "dr-clip=10",
                "--estimator", "snips", "--json"))
        #expect(try json.text("verdict") == "trust")
        #expect(try json.number("diagnostics", "n") == 4_000)
        #expect(try json.count("estimates") == 2)
        #expect(try json.text("estimates", 0, "estimator") == "dr-clip=10")
        #expect(try json.text("estimates", 1, "estimator") == "snips")
        #expect(try json.text("estimates", 1, "interval_method") == "normal, delta method")
        for index in 0..<2 {
            let value = try json.number("estimates", index, "value")
            let error = try json.number("estimates", index, "standard_error")
            #expect(error > 0.005 && error < 0.02)
            #expect((value - 0.6).magnitude < 4 * error)
            #expect(try json.number("estimates", index, "interval", 0) < value)
            #expect(try json.number("estimates", index, "interval", 1) > value)
        }
    }

    @Test func allEstimatorsAndAPage() throws {
        let page = scratch.file("page.html")
        let run = try Pathwise.run(
            "evaluate", "--log", log(2_000, preference: 0.4), "--estimator", "all", "--gate",
            "--interval", "bootstrap", "--resamples", "200", "--report", page)
        #expect(run.status == 0)
        #expect(run.errors.isEmpty)
        #expect(run.output.hasPrefix("pi_e: trust"))
        for name in ["cressie-read", "sub-gaussian-dr", "mrdr", "replay is left out", "deploy"] {
            #expect(run.output.contains(name), "\(name)")
        }
        #expect(text(of: page).hasPrefix("<!DOCTYPE html>"))
        #expect(text(of: page).contains("<svg"))
    }

    /// 500 rewards of one do not prove that there are no others: up to 1 - 0.05^(1/500) of the log
    /// may differ.
    @Test func aConstantRewardIsNotKnownExactly() throws {
        let json = try JSONReading(
            try Pathwise.run(
                "evaluate", "--log", log(500, preference: 0.3, reward: 1), "--estimator", "snips",
                "--estimator", "sndr", "--json"))
        let unseen = 0.00597355
        for index in 0..<2 {
            #expect(try json.number("estimates", index, "value") == 1)
            let low = try json.number("estimates", index, "interval", 0)
            // The largest weight is 0.75 / 0.7.
            #expect((low - (1 - unseen * 0.75 / 0.7)).magnitude < 1e-6)
            #expect(try json.number("estimates", index, "interval", 1) == 1)
        }
    }

    @Test func strictFailsOnDistrust() throws {
        let path = log(300, preference: 0.999)
        let run = try Pathwise.run("evaluate", "--log", path, "--strict")
        #expect(run.status == 65)
        #expect(run.output.hasPrefix("pi_e: do not trust"))
        #expect(run.errorLine?.hasPrefix("pathwise: --strict: pi_e: do not trust") == true)
        #expect(try Pathwise.run("evaluate", "--log", path).status == 0)
    }

    @Test func badRowsAndBadArguments() throws {
        let path = scratch.file("bad.csv")
        write(Array("action,reward,pscore,pi_e_0\n0,1,1,1\n0,1,0,1\n".utf8), to: path)
        let run = try Pathwise.run("evaluate", "--log", path)
        #expect(run.status == 65)
        #expect(
            run.errorLine == "pathwise: '\(path)', row 2, column pscore: is 0: the logged action "
                + "had no probability")
        #expect(try Pathwise.run("evaluate", "--log", path, "--skip-refused").status == 0)
        #expect(try Pathwise.run("evaluate", "--log", scratch.file("none")).status == 66)
        #expect(try Pathwise.run("evaluate", "--log", path, "--policy", "steady").status == 64)
        #expect(try Pathwise.run("evaluate", "--log", path, "--estimator", "magic").status == 64)
        #expect(try Pathwise.run("evaluate", "--log", path, "--estimator", "dr=2").status == 64)
        #expect(try Pathwise.run("evaluate").status == 64)
    }
}
