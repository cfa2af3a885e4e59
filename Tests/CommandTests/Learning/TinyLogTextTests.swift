import Testing

/// The output of `evaluate` for very small logs.
struct TinyLogTextTests {
    private let scratch = Scratch()

    /// The cells of the row of a table that begins with these words.
    private func cells(_ output: String, _ start: String) -> [String]? {
        for line in output.split(separator: "\n") where line.hasPrefix(start) {
            return line.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        }
        return nil
    }

    private func check(_ output: String, policy: String, count: Int) throws {
        let word = count == 1 ? "decision" : "decisions"
        #expect(
            output.hasPrefix(
                "\(policy): do not trust: only \(count) \(word) can be evaluated, and fewer than 50 "
                    + "say little"), "\(output)")
        #expect(!output.contains("propensities are"), "\(output)")
        // There is one effective sample size, and it is at most the number of decisions.
        let sizes = output.split(separator: "\n").filter { $0.contains("effective sample size") }
        #expect(sizes.count == 1, "\(output)")
        let words = try #require(sizes.first?.split(separator: " "))
        let place = try #require(words.firstIndex(of: "size"))
        let size = try #require(Double(words[place + 1]))
        #expect(size <= Double(count) && size > 0, "\(output)")
        #expect(words[place + 3] == "\(count)", "\(output)")
        // A single decision has no standard error; several have one, and it is not zero.
        let recorded = try #require(cells(output, "(recorded)  mean"))
        #expect((recorded[3] == "-") == (count == 1), "\(output)")
        #expect(recorded[3] != "0.0000", "\(output)")
        if count == 1 {
            #expect(output.contains("No reward model could be fitted"), "\(output)")
            #expect(!output.contains("variance"), "\(output)")
        }
        #expect(!output.contains("explains 100.0 %"), "\(output)")
        // Quantiles are shown only as far as the decisions allow.
        #expect(!output.contains("p95 ") && !output.contains("p99 "), "\(output)")
        #expect(!output.contains("worst 5 %"), "\(output)")
        #expect(!output.contains("nan"), "\(output)")
    }

    @Test(arguments: [1, 2, 3, 5, 10])
    func log(count: Int) throws {
        // The weights alternate between 1.4 and 0.6.
        var text = "action,reward,pscore,pi_e_0,pi_e_1\n"
        for row in 0..<count {
            text += "\(row % 2),0.\((row * 37 + 11) % 97 + 1),0.5,0.7,0.3\n"
        }
        let path = scratch.file("log.csv")
        write(Array(text.utf8), to: path)
        let run = try Pathwise.run("evaluate", "--log", path)
        #expect(run.status == 0)
        try check(run.output, policy: "pi_e", count: count)
        let printed = try Pathwise.run("evaluate", "--log", path, "--json")
        let json = try JSONReading(printed)
        #expect(try json.text("verdict") == "do not trust")
        if count > 1 {
            #expect(try json.number("estimates", 0, "standard_error") > 0)
        } else {
            #expect(printed.output.contains("\"standard_error\": null"))
        }
    }

    @Test(arguments: [1, 2, 3, 5, 10])
    func trace(count: Int) throws {
        var world = World(seed: 4)
        let path = scratch.file("t.trace")
        try world.write(count, to: path)
        let run = try Pathwise.run("evaluate", path, "--policy", "logged")
        #expect(run.status == 0)
        try check(run.output, policy: "logged", count: count)
        let network = try #require(
            run.output.split(separator: "\n").first { $0.hasPrefix("(recorded)") }?
                .split(separator: " ").map(String.init))
        // late, interval, p50, p95, p99, cost, agreement.
        #expect(network.suffix(5).prefix(2).allSatisfy { $0 == "-" })
    }
}
