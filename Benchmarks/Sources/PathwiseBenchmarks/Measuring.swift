import Glibc

/// Processor time and the monotonic clock, nanoseconds.
enum Clock {
    static func nanoseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
    /// Of the calling thread.
    static var processor: UInt64 { nanoseconds(CLOCK_THREAD_CPUTIME_ID) }
    static var wall: UInt64 { nanoseconds(CLOCK_MONOTONIC) }
}

/// Allocations of the calling thread, if the counter of malloc-counter.c is preloaded.
enum Allocations {
    private typealias Counter = @convention(c) () -> UInt
    private static let counter: Counter? = {
        guard let symbol = dlsym(nil, "pathwise_allocations") else { return nil }
        return unsafeBitCast(symbol, to: Counter.self)
    }()

    static var areCounted: Bool { counter != nil }
    static var count: UInt { counter?() ?? 0 }
}

/// The cost per step of one run of `steps` steps.
struct StepCost {
    /// Processor time, nanoseconds.
    var time: Double
    var allocations: Double
}

/// The median of three runs (by time), after an uncounted one.
func measure(steps: Int, _ step: (Int) throws -> Void) rethrows -> StepCost {
    var runs: [StepCost] = []
    for run in 0..<4 {
        let allocations = Allocations.count
        let start = Clock.processor
        for index in 0..<steps { try step(index) }
        let time = Clock.processor - start
        let count = Allocations.count - allocations
        if run > 0 {
            runs.append(
                StepCost(
                    time: Double(time) / Double(steps), allocations: Double(count) / Double(steps)))
        }
    }
    return runs.sorted { $0.time < $1.time }[1]
}

/// Quantiles of single steps by the monotonic clock, less the cost of reading it.
struct StepQuantiles {
    /// Medians of seven runs in order, because a shared machine has slow and fast minutes.
    var medians: [Double]
    /// Medians over the runs.
    var p99: Double
    var p999: Double

    /// "p50 391 (391 to 640), p99 662, p99.9 1072 ns": the median of the medians, lowest and
    /// highest.
    var text: String {
        "p50 \(number(medians[medians.count / 2])) (\(number(medians[0])) to "
            + "\(number(medians[medians.count - 1]))), p99 \(number(p99)), p99.9 \(number(p999)) ns"
    }
}

/// Times every single step, in seven runs after an uncounted one.
func quantiles(steps: Int, _ step: (Int) -> Void) -> StepQuantiles {
    var samples = [UInt64](repeating: 0, count: steps)
    var runs: [(p50: Double, p99: Double, p999: Double)] = []
    for index in 0..<steps {
        let start = Clock.wall
        samples[index] = Clock.wall &- start
    }
    samples.sort()
    let empty = samples[steps / 2]
    for run in 0..<8 {
        for index in 0..<steps {
            let start = Clock.wall
            step(index)
            samples[index] = Clock.wall &- start
        }
        samples.sort()
        func quantile(_ share: Double) -> Double {
            let sample = samples[min(steps - 1, Int(Double(steps) * share))]
            return Double(sample > empty ? sample - empty : 0)
        }
        if run > 0 { runs.append((quantile(0.5), quantile(0.99), quantile(0.999))) }
    }
    return StepQuantiles(
        medians: runs.map(\.p50).sorted(), p99: runs.map(\.p99).sorted()[runs.count / 2],
        p999: runs.map(\.p999).sorted()[runs.count / 2])
}

/// One aligned line of the output.
func report(_ name: String, _ figures: String) {
    let padding = String(repeating: " ", count: max(1, 44 - name.count))
    print(name + padding + figures)
}

/// A number with a useful number of decimals.
func number(_ value: Double) -> String {
    let decimals = value >= 100 ? 0 : value >= 10 ? 1 : value >= 0.1 ? 2 : 3
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let rounded = (value * scale).rounded() / scale
    return decimals == 0 ? String(Int(rounded)) : String(rounded)
}

extension StepCost {
    /// "412 ns, 0.0 allocations", without the latter if they are not counted.
    var text: String {
        "\(number(time)) ns"
            + (Allocations.areCounted ? ", \(number(allocations)) allocations" : "")
    }
}

/// The machine in one line.
enum Machine {
    static var description: String {
        let processor = field("/proc/cpuinfo", "model name") ?? "unknown processor"
        let load = firstLine("/proc/loadavg")?.split(separator: " ").prefix(3)
            .joined(separator: " ")
        var name = utsname()
        uname(&name)
        let kernel = withUnsafeBytes(of: &name.release) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        return "\(processor), \(sysconf(Int32(_SC_NPROCESSORS_ONLN))) processors, Linux \(kernel), "
            + "load \(load ?? "unknown")"
    }

    private static func lines(_ path: String) -> [String] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = fread(&buffer, 1, buffer.count, file)
        return String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n")
            .map(String.init)
    }
    private static func firstLine(_ path: String) -> String? { lines(path).first }
    private static func field(_ path: String, _ name: String) -> String? {
        guard let line = lines(path).first(where: { $0.hasPrefix(name) }),
            let colon = line.firstIndex(of: ":")
        else { return nil }
        return String(line[line.index(after: colon)...].drop { $0 == " " })
    }
}
