import Glibc
import PathTrace
import Testing

@testable import PathLearning
@testable import PathTelemetry

private let childFile = getenv("PATHWISE_TRACE_CHILD").map { String(cString: $0) }

private func monotonic() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

@Suite struct CrashTests {
    /// The decisions of a trace, which have to be a gapless run from zero, and the last one's time.
    private func prefix(of path: String) throws -> (count: UInt64, last: Instant) {
        var count: UInt64 = 0
        var last = Instant.zero
        try TraceReader(path: path).forEachDecision { decision in
            #expect(decision.record.number == count)
            last = decision.record.time
            count += 1
        }
        return (count, last)
    }

    @Test func theFilesOfARunningRecordingAreReadable() throws {
        let scratch = Scratch()
        var generator = SeededGenerator(seed: 11)
        let writer = try TraceWriter(
            path: scratch.file(), schema: testSchema, programVersion: "1")
        let ring = writer.makeRing()
        let session = writer.beginSession(sessionInfo())
        for round in 0..<5 {
            for number in 0..<200 {
                let decision = generator.decision(
                    number: UInt64(round * 200 + number), time: .zero, candidates: 4)
                ring.record(decision, session: session)
            }
            try writer.flush()
            // The state that a killed process would leave, read while the writer still runs.
            let copy = scratch.file("copy\(round).trace")
            write(bytes(of: scratch.file()) ?? [], to: copy)
            write(bytes(of: scratch.file() + "-wal") ?? [], to: copy + "-wal")
            #expect(try prefix(of: copy).count == UInt64(round + 1) * 200)
            #expect(try prefix(of: scratch.file()).count == UInt64(round + 1) * 200)
        }
        try writer.close()
    }

    /// Records as fast as it can until it is killed; only started by the test below.
    @Test(.enabled(if: childFile != nil, "runs only as the child of killedRecordingIsReadable"))
    func childRecordsUntilKilled() throws {
        var generator = SeededGenerator(seed: 12)
        let writer = try TraceWriter(
            path: try #require(childFile), schema: testSchema, programVersion: "1",
            ifExists: .replace)
        let ring = writer.makeRing(whenFull: .wait)
        let session = writer.beginSession(sessionInfo())
        var decision = generator.decision(number: 0, time: .zero, candidates: 4)
        while true {
            decision.time = Instant(nanoseconds: monotonic())
            ring.record(decision, session: session)
            decision.number += 1
            if decision.number == 2_000 {
                try writer.flush()
                write([1], to: try #require(childFile) + ".flushed")
            }
            usleep(100)
        }
    }

    @Test(.enabled(if: childFile == nil, "this is the child"))
    func killedRecordingIsReadable() throws {
        let scratch = Scratch()
        var executable = [CChar](repeating: 0, count: 4096)
        let length = readlink("/proc/self/exe", &executable, executable.count - 1)
        try #require(length > 0)
        var arguments = CommandLine.arguments
        // Keeps this process's arguments and selects only the one test.
        if let filter = arguments.firstIndex(of: "--filter") { arguments.removeSubrange(filter...) }
        arguments += ["--filter", "childRecordsUntilKilled"]
        if !arguments.contains("--testing-library") {
            arguments += ["--testing-library", "swift-testing"]
        }
        var variables: [UnsafeMutablePointer<CChar>?] = []
        var variable = environ
        while let text = variable.pointee {
            variables.append(strdup(text))
            variable += 1
        }
        variables += [strdup("PATHWISE_TRACE_CHILD=" + scratch.file()), nil]
        defer { for variable in variables { free(variable) } }
        var child: pid_t = 0
        var argv = arguments.map { strdup($0) } + [nil]
        defer { for argument in argv { free(argument) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        defer { posix_spawn_file_actions_destroy(&actions) }
        try #require(posix_spawn(&child, executable, &actions, nil, &argv, &variables) == 0)
        var status: Int32 = 0
        while access(scratch.file() + ".flushed", F_OK) != 0 {
            try #require(waitpid(child, &status, WNOHANG) == 0, "the child ended by itself")
            usleep(20_000)
        }
        usleep(300_000)
        let killed = monotonic()
        kill(child, SIGKILL)
        waitpid(child, &status, 0)
        let (count, last) = try prefix(of: scratch.file())
        #expect(count >= 2_000)
        let lag = Double(killed - last.nanoseconds) * 1e-6
        print("killed recording: \(count) decisions, the last one \(lag) ms before the kill")
        if getenv("PATHWISE_BENCH") != nil { #expect(lag <= 100) }
    }
}
