import Glibc

/// One measurement: prints its own lines.
struct Benchmark: Sendable {
    var name: String
    var run: @Sendable () throws -> Void
}

/// Runs the benchmarks whose names contain the first argument, all without one.
///
/// Each is run three times and prints the median run, after one run that warms caches up. Times
/// are processor time of the measuring thread unless a line says otherwise, so that other load on
/// the machine counts little.
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
            // Seen at once also through a pipe.
            fflush(nil)
        }
    }
}
