import Glibc
import PathTrace
import Testing

@testable import PathLearning
@testable import PathTelemetry

/// Trains and evaluates on a recording of a world with known parameters.
struct LearningTests {
    private let scratch = Scratch()
    private var trace: String { scratch.file("world.trace") }
    private var model: String { scratch.file("model.safetensors") }

    @Test func trainingBeatsTheHeuristic() throws {
        var world = World(seed: 11)
        let written = try world.write(6_000, to: trace)
        let json = try JSONReading(try Pathwise.run("train", trace, "--output", model, "--json"))
        #expect(try json.number("decisions") == 6_000)
        #expect(try json.number("forced") == Double(written.forced))
        #expect(try json.number("late_decisions") == Double(written.late))
        #expect(try json.number("trained") + json.number("held_out") == 6_000 - 240)
        // The last fifth of the decisions, except every 25th, which is forced.
        #expect(try json.number("held_out") == 1_200 - 48)
        // The model's error comes from noise of 0.2 and half a percent of late decisions; the
        // heuristic misses the weights in addition, a variance of sum w^2 / 3.
        let heuristic = try json.number("ridge", "holdout", "heuristic_rmse")
        let trained = try json.number("ridge", "holdout", "model_rmse")
        #expect(trained < 0.8 * heuristic)
        #expect(trained < 0.5)
        #expect(try json.number("ridge", "cross_validated_rmse") < 0.5)

        let loaded = try Model.load(model)
        for (index, weight) in World.weights.enumerated() {
            #expect(((loaded.residual?.weights[index] ?? .nan) - weight).magnitude < 0.05)
        }
        for index in World.weights.count..<FeatureSchema.count {
            #expect((loaded.residual?.weights[index] ?? .nan).magnitude < 0.05)
        }
        #expect(loaded.notes["holdout_decisions"] == "1152")
        #expect(loaded.notes["traces"]?.hasSuffix(" world.trace") == true)
    }

    @Test func aPersonReadsWhatTrainingDid() throws {
        var world = World(seed: 12)
        try world.write(2_000, to: trace)
        let run = try Pathwise.run("train", trace, "--output", model, "--lambda", "10")
        #expect(run.status == 0)
        #expect(run.errors.isEmpty)
        let lines = run.output.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[0] == "2 000 decisions: 1 536 train, 384 held out, 80 forced")
        #expect(run.output.contains("held-out end of the sessions"))
        #expect(run.output.contains("penalty 10\n"))

        let info = try Pathwise.run("model", "info", model)
        #expect(info.status == 0)
        #expect(info.output.contains("smoothed_rtt"))
        let json = try JSONReading(try Pathwise.run("model", "info", model, "--json"))
        #expect(try json.text("kind") == "ridge")
        #expect(try json.number("residual", "lambda") == 10)
        #expect(try json.text("schema") == StableHash.text(FeatureSchema.current.hash))
        #expect(try (json.number("residual", "weights", "smoothed_rtt") - 0.6).magnitude < 0.1)
    }

    @Test func everyKindAndThePage() throws {
        var world = World(seed: 21)
        try world.write(4_000, to: trace)
        let json = try JSONReading(
            try Pathwise.run(
                "train", trace, "--output", model, "--kind", "ridge", "--kind", "late", "--kind",
                "neural-linear", "--hidden", "8,4", "--fourier", "8", "--json"))
        #expect(try json.text("kind") == "ridge,late,neural-linear")
        #expect(try json.number("late", "holdout", "decisions") == 768)
        #expect(try json.number("neural", "fit", "rows") == 3_072)
        #expect(try json.count("importances") == 24)
        let page = text(of: scratch.file("model.md"))
        #expect(page.hasPrefix("# Model model.safetensors\n"))
        #expect(page.contains("## Calibration of P(late), held out"))
        let info = try Pathwise.run("model", "info", model)
        #expect(info.output.contains("network: 24-8-4-1, tanh"))
        let sound = try Pathwise.run("model", "verify", model)
        #expect(sound.status == 0 && sound.output.contains("sound"))
        write(Array(repeating: 0x7b, count: 100), to: model)
        let broken = try Pathwise.run("model", "verify", model)
        #expect(broken.status == 65 && broken.output.contains("refused"))
        #expect(broken.errorLine?.hasPrefix("pathwise: model ") == true)
    }

    @Test func mergedStatisticsAreTheSameModel() throws {
        var world = World(seed: 22)
        let second = scratch.file("second.trace")
        try world.write(1_000, to: trace)
        try world.write(1_500, to: second)
        let together = try Pathwise.run("train", second, trace, "--output", model)
        #expect(together.status == 0)
        for (file, name) in [(trace, "a"), (second, "b")] {
            let run = try Pathwise.run("train", file, "--statistics", scratch.file(name))
            #expect(run.status == 0)
        }
        let merged = scratch.file("merged.safetensors")
        let run = try Pathwise.run(
            "train", "--merge", scratch.file("a"), scratch.file("b"), "--output", merged)
        #expect(run.status == 0)
        #expect(bytes(of: merged) == bytes(of: model))
        let late = try Pathwise.run(
            "train", trace, "--kind", "late", "--statistics", scratch.file("c"))
        #expect(late.status == 64)
        let nothing = try Pathwise.run("train", trace)
        #expect(nothing.status == 64)
        #expect(nothing.errorLine?.hasPrefix("pathwise: nothing to write: ") == true)
    }

    @Test func withoutHoldoutAllDecisionsTrain() throws {
        var world = World(seed: 13)
        try world.write(1_000, to: trace)
        let json = try JSONReading(
            try Pathwise.run("train", trace, "--output", model, "--holdout", "0", "--json"))
        #expect(try json.number("trained") == 960)
        #expect(try json.number("held_out") == 0)
    }

    @Test func tooFewDecisions() throws {
        var world = World(seed: 14)
        try world.write(20, to: trace)
        let run = try Pathwise.run("train", trace, "--output", model)
        #expect(run.status == 65)
        #expect(run.errorLine?.hasPrefix("pathwise: training: ") == true)
        #expect(access(model, F_OK) != 0)
    }

    @Test func theLoggingPolicyEarnsTheMean() throws {
        var world = World(seed: 15)
        try world.write(4_000, to: trace)
        let json = try JSONReading(
            try Pathwise.run("evaluate", trace, "--policy", "logged", "--json"))
        let mean = try json.number("recorded", "value")
        #expect(try json.text("estimates", 2, "estimator") == "snips")
        #expect(try json.text("estimates", 3, "estimator") == "ips")
        #expect(try json.number("estimates", 2, "value") == mean)
        #expect(try json.number("estimates", 3, "value") == mean)
        for index in 0..<5 {
            let name = try json.text("estimates", index, "estimator")
            #expect(try json.number("estimates", index, "interval", 0) <= mean, "\(name)")
            #expect(try json.number("estimates", index, "interval", 1) >= mean, "\(name)")
        }
        #expect(try json.text("policies", 0, "verdict") == "trust")
    }

    @Test func estimatesAgreeWithTheTruth() throws {
        var world = World(seed: 16)
        let written = try world.write(8_000, to: trace)
        let json = try JSONReading(
            try Pathwise.run("evaluate", trace, "--policy", "earliest", "--json"))
        #expect(try json.count("policies", 0, "estimates") == 5)
        for index in 0..<5 {
            let name = try json.text("policies", 0, "estimates", index, "estimator")
            // The error of the direct method is the model's bias, which its standard error does not
            // include.
            if name == "dm" { continue }
            let value = try json.number("policies", 0, "estimates", index, "value")
            let error = try json.number("policies", 0, "estimates", index, "standard_error")
            #expect(error > 0)
            #expect((value - written.earliest).magnitude < 4 * error, "\(name)")
        }
        #expect(try json.number("policies", 0, "gain_over_recorded", "interval", 0) > 0)
    }

    @Test func aModelIsAPolicy() throws {
        var world = World(seed: 17)
        try world.write(4_000, to: trace)
        _ = try Pathwise.run("train", trace, "--output", model)
        let page = scratch.file("page.html")
        let run = try Pathwise.run(
            "evaluate", trace, "--policy", model, "--policy", "earliest", "--estimator", "dr",
            "--report", page)
        #expect(run.status == 0)
        #expect(run.errors.isEmpty)
        #expect(run.output.contains("model.safetensors"))
        #expect(!run.output.contains("snips"))
        #expect(text(of: page).hasPrefix("<!DOCTYPE html>"))
        #expect(text(of: page).contains("<svg"))
        let json = try JSONReading(
            try Pathwise.run(
                "evaluate", trace, "--policy", model, "--policy", "earliest", "--estimator", "dr",
                "--online", "--json"))
        #expect(try json.count("policies", 0, "estimates") == 1)
        // The model knows the weights that the heuristic does not, and results show that it does.
        let (trained, heuristic) = (
            try json.number("policies", 0, "estimates", 0, "value"),
            try json.number("policies", 1, "estimates", 0, "value")
        )
        #expect(trained > heuristic, "\(trained) and \(heuristic)")
    }
}
