import Testing

/// Worlds through the command.
@Suite struct SimulateTests {
    /// The same worlds, policies and seeds print the same, with any number of jobs.
    @Test func theSameEveryTime() throws {
        let words = [
            "simulate", "--world", "S3", "--random", "1", "--duration", "3s", "--seeds", "2",
            "--policy", "steady", "--policy", "min-rtt", "--json",
        ]
        let one = try Pathwise(words + ["--jobs", "1"]).wait()
        let two = try Pathwise(words + ["--jobs", "2"]).wait()
        #expect(one.status == 0 && one.errors.isEmpty)
        #expect(one.output == two.output && one.output.contains("\"fingerprint\""))
        #expect(one.output.contains("\"random-1\"") && one.output.contains("\"S3\""))
    }

    @Test func filesAreCheckedAndRun() throws {
        let folder = Scratch()
        let shown = try Pathwise(["world", "show", "S4"]).wait()
        #expect(shown.status == 0 && shown.output.contains("[[link.outage]]"))
        write(Array(shown.output.utf8), to: folder.file("mine.toml"))
        let checked = try Pathwise(["world", "check", folder.file("mine.toml")]).wait()
        #expect(checked.status == 0 && checked.output.contains("mine"))
        let run = try Pathwise([
            "simulate", folder.file("mine.toml"), "--duration", "2s", "--seeds", "1", "--policy",
            "steady", "--record", folder.file("traces"), "--report", folder.file("page.html"),
        ]).wait()
        #expect(run.status == 0, "\(run.errors)")
        #expect(text(of: folder.file("page.html")).contains("<h2>mine</h2>"))
        let trace = try Pathwise(["trace", "verify", folder.file("traces/mine.steady.1.trace")])
            .wait()
        #expect(trace.status == 0 && trace.output.contains("sound"))
    }

    @Test func refusals() throws {
        let folder = Scratch()
        write(Array("\nduration = 5\n".utf8), to: folder.file("bad.toml"))
        for (words, status, part) in [
            (["simulate", folder.file("bad.toml")], 65, "line 2, duration: write a time"),
            (["simulate", folder.file("none.toml")], 66, "No such file"),
            (["simulate", "--world", "S99"], 64, "no world 'S99' ships"),
            (["simulate"], 64, "which world?"),
            (["simulate", "--world", "S44"], 64, "did you mean 'S4'?"),
            (["simulate", "--world", "S1", "--seeds", "0"], 64, "--seeds 0"),
            (["simulate", "--world", "S1", "--seeds", "-1"], 64, "--seeds -1: give 1"),
            (["simulate", "--world", "S1", "--jobs", "-1"], 64, "--jobs -1: give 1"),
            (["simulate", "--random", "-1"], 64, "--random -1: give 0"),
            (["simulate", "--world", "S1", "--duration", "-1s"], 64, "write a time as"),
            (["simulate", "--world", "S1", "--confidence", "-1"], 64, "write a share as"),
            (
                ["simulate", "--world", "S1", "--seed", "\(UInt64.max)", "--seeds", "2"], 64,
                "must be at most"
            ),
            (["simulate", "--world", "all", "--duration", "1s"], 64, "shared_20 (the start"),
            (
                ["simulate", "--world", "S1", "--report", folder.file("none/page.html")], 73,
                "make its folder first"
            ),
            (
                ["simulate", "--world", "S1", "--record", folder.file("bad.toml")], 73,
                "it is not a folder"
            ),
            (["simulate", "--world", "S1", "--workload", "mail"], 64, "--workload mail"),
            (["simulate", "--world", "S1", "--baseline", "x"], 64, "--baseline x"),
            (["emulate", "--to", "127.0.0.1:9", "--world", "S99"], 64, "no world 'S99' ships"),
        ] {
            let run = try Pathwise(words).wait()
            #expect(run.status == Int32(status), "\(words): \(run.errors)")
            #expect(run.errorLine?.contains(part) == true, "\(run.errors)")
        }
    }
}
