import Glibc
import PathEvaluation
import PathLearning
import PathReport
import PathTelemetry
import PathTraining
import Testing

@testable import PathTrace
@testable import PathwiseCommand

/// Mutants of traces through everything that reads traces, in this process: each step ends with an
/// error that means "the data are wrong" (exit code 65), or with a result that agrees with the
/// verification.
///
/// PATHWISE_FUZZ sets the number of mutants, PATHWISE_FUZZ_FIRST the number of the first; a mutant
/// depends only on its number, so a failing one can be reproduced.
@Suite(.serialized) struct TraceFuzzTests {
    private static func number(_ name: String) -> Int? {
        getenv(name).flatMap { Int(String(cString: $0)) }
    }

    /// A folder in memory, if there is one.
    private static func folder() throws -> String {
        var template = Array(
            (access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp").utf8CString.dropLast()
                + "/pathwise-fuzz-XXXXXX".utf8CString)
        let path = try #require(mkdtemp(&template).map { String(cString: $0) })
        return path
    }

    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// The peak resident memory of the process, bytes; 0 is RUSAGE_SELF.
    private static func peakMemory() -> Int {
        var usage = rusage()
        getrusage(0, &usage)
        return usage.ru_maxrss * 1024
    }

    @Test func mutantsEndInAnErrorOrRight() throws {
        let folder = try Self.folder()
        defer {
            for name in ["m.trace", "b.trace", "o.trace"] {
                for suffix in ["", "-wal", "-shm", "-journal"] {
                    unlink(folder + "/" + name + suffix)
                }
            }
            rmdir(folder)
        }
        let asked = Self.number("PATHWISE_FUZZ")
        let first = Self.number("PATHWISE_FUZZ_FIRST") ?? 0
        let count = asked ?? 300
        let path = folder + "/m.trace"
        let other = folder + "/b.trace"
        let bases = try (0..<8).map { try FuzzedTrace(path: path, seed: $0) }
        // This trace has another seed than all mutants, since the same recording twice is refused.
        _ = try FuzzedTrace(path: other, seed: 100)
        var tally = Tally()
        let memory = Self.peakMemory()
        for index in first..<(first + count) {
            var generator = SeededGenerator(seed: UInt64(index) &* 0x9e37_79b9_7f4a_7c15 &+ 1)
            try bases[index % bases.count].write(&generator)
            let start = Self.processorSeconds()
            var run = MutantRun(
                index: index, path: path, other: other, output: folder + "/o.trace",
                generator: generator)
            run.run(&tally)
            let seconds = Self.processorSeconds() - start
            #expect(seconds < 5, "mutant \(index) took \(seconds) s")
            if asked != nil, index % 10_000 == 9_999 {
                let megabytes = Self.peakMemory() >> 20
                let line = Array("mutant \(index + 1): \(tally), peak \(megabytes) MB\n".utf8)
                _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
            }
        }
        // There are some results of every kind, so that the fuzzer tests more than the first
        // checks.
        #expect(tally.refused > count / 10)
        #expect(tally.sound > count / 100)
        #expect(tally.evaluated > count / 10)
        #expect(tally.trained > count / 10)
        #expect(Self.peakMemory() - memory < 600 << 20)
    }
}

/// How mutants ended.
struct Tally: CustomStringConvertible {
    var sound = 0
    var refused = 0
    var evaluated = 0
    var trained = 0
    var merged = 0

    var description: String {
        "\(sound) sound, \(refused) refused, \(evaluated) evaluated, \(trained) trained, "
            + "\(merged) merged"
    }
}

/// Runs the commands on one mutant.
struct MutantRun {
    let index: Int
    let path: String
    let other: String
    let output: String
    var generator: SeededGenerator

    /// The result, or nil after an error, which has to be a data error.
    private func attempt<Result>(_ step: String, _ body: () throws -> Result) -> Result? {
        do { return try body() } catch {
            let failure = CommandFailure(error)
            #expect(
                failure.status == .dataError && !failure.message.isEmpty,
                "mutant \(index), \(step): \(failure.status) \(failure.message.prefix(200))")
            return nil
        }
    }

    mutating func run(_ tally: inout Tally) {
        guard let reader = attempt("open", { try TraceReader(path: path) }) else {
            tally.refused += 1
            return
        }
        // One transaction for all queries: SQLite's file accesses before each statement would take
        // a tenth of a mutant's time.
        try? reader.database.run("BEGIN")
        let info = attempt("info") {
            let info = try reader.info()
            _ = TraceText.info(info)
            _ = TraceText.json(info).text()
            return info
        }
        _ = attempt("warnings") { try reader.orphans() }
        let report = attempt("verify") { try TraceVerifier(reader).verify() }
        if let report { _ = TraceText.report(report, trace: "t") }
        let isSound = report?.isSound == true
        if isSound { tally.sound += 1 } else { tally.refused += 1 }
        if isSound, let report, let info {
            #expect(info.decisions == report.decisions, "mutant \(index)")
            #expect(info.outcomes == report.outcomes, "mutant \(index)")
        }
        let exported = export(reader)
        if isSound { #expect(exported == info?.decisions, "mutant \(index)") }
        evaluate(reader, &tally)
        train(&tally)
        merge(info, isSound: isSound, &tally)
    }

    /// How many decisions were exported; nil after an error.
    private mutating func export(_ reader: TraceReader) -> Int? {
        let tables = TraceExportTable.allCases
        let table = tables[generator.below(tables.count)]
        let formats: [TraceExportFormat] =
            table == .decisions ? [.csv, .jsonl, .dsjson] : [.csv, .jsonl]
        let format = formats[generator.below(formats.count)]
        _ = attempt("export \(table) \(format)") {
            try TraceExporter(reader).export(table, as: format) { _ in }
        }
        return attempt("export") {
            var lines = 0
            try TraceExporter(reader).export(.decisions, as: .jsonl) { piece in
                lines += piece.count { $0 == 0x0a }
            }
            return lines
        }
    }

    private mutating func evaluate(_ reader: TraceReader, _ tally: inout Tally) {
        let catalogue = PolicySpecification.catalogue.map(\.name)
        var options = AnalysisOptions()
        options.resamples = 10
        options.hasGate = generator.below(4) == 0
        let intervals = IntervalMethod.allCases
        options.interval = intervals[generator.below(intervals.count)]
        if generator.below(4) == 0 { options.estimators = Estimator.all }
        var evaluation = TraceEvaluation(options: options)
        evaluation.threads = 1
        evaluation.lambdas = [1, 100]
        evaluation.target = generator.below(4) == 0 ? .late : .cost
        let name = catalogue[generator.below(catalogue.count)]
        let isOnline = generator.below(2) == 0
        let withPage = generator.below(8) == 0
        let result = attempt("evaluate \(name)") {
            let policy = try EvaluatedPolicy.policy(
                PolicySpecification(parsing: name), mode: isOnline ? .online : .frozen)
            let report = try evaluation.evaluate([reader], policies: [.logged, policy])
            let text = EvaluationText(report: report)
            _ = text.summary
            _ = report.json().text()
            if withPage { _ = try text.page([reader], name: "t").html() }
            return report
        }
        if result != nil { tally.evaluated += 1 }
    }

    private mutating func train(_ tally: inout Tally) {
        var options = TrainingOptions()
        options.lambdas = [1, 100]
        options.objective =
            [.regression, .regression, .inversePropensity, .doublyRobust][
                generator.below(4)]
        options.weighting = generator.below(4) == 0 ? .inversePropensity : .uniform
        options.holdout = [0, 0.2, 0.9][generator.below(3)]
        if generator.below(32) == 0 {
            options.kinds = [.ridge, .late, .neuralLinear]
            options.hidden = [4]
            options.epochs = 1
        }
        let result = attempt("train") {
            let result = try ModelTrainer(options).train([path])
            _ = TrainingText.summary(result, output: "m")
            _ = ModelCard.text(result, file: "m", program: "p")
            return result
        }
        if result != nil { tally.trained += 1 }
    }

    private mutating func merge(_ info: TraceInfo?, isSound: Bool, _ tally: inout Tally) {
        guard generator.below(4) == 0 else { return }
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(output + suffix) }
        var isOfOtherSchema = false
        let result = attempt("merge") {
            do throws(TraceError) {
                return try TraceMerger([path, other]).merge(into: output, programVersion: "1")
            } catch {
                if case .otherSchema = error { isOfOtherSchema = true }
                if isSound, !isOfOtherSchema {
                    Issue.record("mutant \(index) is sound and was not merged: \(error)")
                }
                throw error
            }
        }
        guard result != nil else { return }
        tally.merged += 1
        let merged = attempt("merged") { try TraceReader(path: output).info() }
        guard isSound, let info else { return }
        #expect(merged?.decisions == info.decisions + 110, "mutant \(index)")
        let report = attempt("merged") {
            try TraceVerifier(TraceReader(path: output)).verify()
        }
        #expect(report?.isSound == true, "mutant \(index): \(report?.issues.prefix(3) ?? [])")
    }
}
