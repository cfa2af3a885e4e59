import Glibc

/// One measurement, which prints its own lines.
struct Benchmark: Sendable {
    var name: String
    var run: @Sendable () throws -> Void
}

/// Runs the benchmarks whose names contain the first argument, or all.
///
/// Each runs once to warm up caches, then three times, and prints the median run. Times are
/// processor time of the measuring thread unless a line says otherwise, so that other load on the
/// machine matters little.
@main
enum Benchmarks {
    static let all: [Benchmark] =
        DecisionBenchmarks.all + PolicyBenchmarks.all + CipherBenchmarks.all
        + TransportBenchmarks.all
        + SimulationBenchmarks.all + RecordingBenchmarks.all + TrainingBenchmarks.all

    static func main() throws {
        let word = CommandLine.arguments.dropFirst().first ?? ""
        let chosen = all.filter { word.isEmpty || $0.name.contains(word) }
        guard !chosen.isEmpty else {
            print("no benchmark is called so: \(all.map(\.name).joined(separator: ", "))")
            exit(64)
        }
        print(Machine.description)
        if !Allocations.areCounted {
            print("allocations are not counted: preload malloc-counter.so (make does)")
        }
        for benchmark in chosen {
            try benchmark.run()
            // Shows the line at once, also through a pipe.
            fflush(nil)
        }
    }
}
