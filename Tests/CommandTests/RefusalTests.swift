import Glibc
import PathNetwork
import Testing

@testable import PathLearning
@testable import PathTelemetry
@testable import PathTransport

/// Bad input of every kind: one line on standard error that says how to fix it, nothing on standard
/// output, and the exit code of sysexits(3).
struct RefusalTests {
    private let scratch = Scratch()

    private func expect(
        _ arguments: [String], _ status: Int32, _ line: String,
        location: SourceLocation = #_sourceLocation
    ) throws {
        let run = try Pathwise(arguments).wait()
        #expect(run.status == status, sourceLocation: location)
        #expect(run.output.isEmpty, sourceLocation: location)
        #expect(run.errorLine == "pathwise: " + line, sourceLocation: location)
    }

    @Test func missingFiles() throws {
        let none = scratch.file("none")
        let trace =
            "cannot open trace '\(none)': No such file or directory; check the path and its "
            + "permissions"
        try expect(["trace", "info", none], 66, trace)
        try expect(["train", none, "--output", scratch.file("m")], 66, trace)
        try expect(["evaluate", none, "--policy", "steady"], 66, trace)
        try expect(
            ["model", "info", none], 66, "model \(none): open: No such file or directory")
        try expect(
            ["pubkey", none], 66,
            "no key file at \(none); make one with: pathwise keygen \(none)")
        try expect(
            ["emulate", "--to", "127.0.0.1:9", "--scenario", none, "--name", "S1"], 66,
            "cannot read '\(none)': No such file or directory; check the name and the permissions")
    }

    @Test func missingFolders() throws {
        var world = World(seed: 1)
        let trace = scratch.file("t.trace")
        try world.write(200, to: trace)
        let file = scratch.file("none/out")
        try expect(
            ["keygen", file], 73,
            "cannot create key file \(file): No such file or directory; make its folder first")
        try expect(
            ["trace", "export", trace, "--output", file], 73,
            "cannot create '\(file)': No such file or directory; make its folder first")
        let train = try Pathwise.run("train", trace, "--output", file)
        #expect(train.status == 73)
        #expect(
            train.errorLine == "pathwise: model \(file): create: No such file or directory")
    }

    @Test(.enabled(if: geteuid() != 0, "root may write to every folder"))
    func folderWithoutPermission() throws {
        chmod(scratch.path, 0o555)
        defer { chmod(scratch.path, 0o755) }
        let file = scratch.file("key")
        try expect(
            ["keygen", file], 73,
            "cannot create key file \(file): Permission denied; use a file and folder that "
                + "belong to you")
    }

    /// A folder in which nobody, not even root, can create files.
    @Test func folderThatTakesNoFiles() throws {
        let run = try Pathwise.run("keygen", "/proc/self/key")
        #expect(run.status == 73)
        let line = "pathwise: cannot create key file /proc/self/key: "
        #expect(run.errorLine?.hasPrefix(line) == true)
    }

    @Test func fullDisk() throws {
        var world = World(seed: 1)
        let trace = scratch.file("t.trace")
        try world.write(20, to: trace)
        try expect(
            ["trace", "export", trace, "--output", "/dev/full"], 74,
            "cannot write the export: cannot write '/dev/full': No space left on device; "
                + "free some space")
    }

    @Test func addresses() throws {
        try expect(
            ["emulate", "--to", "127.0.0.1", "--link", "rate=5"], 64,
            "'127.0.0.1' is not HOST:PORT; write example.net:5000, 192.0.2.1:5000 or "
                + "[2001:db8::1]:5000")
        try expect(
            ["emulate", "--to", "127.0.0.1:99999", "--link", "rate=5"], 64,
            "'127.0.0.1:99999' is not HOST:PORT; write example.net:5000, 192.0.2.1:5000 or "
                + "[2001:db8::1]:5000")
        // TEST-NET-3 (RFC 5737) is no address of any host.
        try expect(
            ["emulate", "--to", "127.0.0.1:9", "--listen", "203.0.113.1:0", "--link", "rate=5"],
            69,
            "cannot bind to 203.0.113.1:0: Cannot assign requested address; no interface of this "
                + "host has that address; 'ip address' lists the addresses")
    }

    @Test func portInUse() throws {
        let taken = try UDPSocket(local: .loopback(port: 0))
        let address = taken.localAddress
        try expect(
            ["emulate", "--to", "127.0.0.1:9", "--listen", "\(address)", "--link", "rate=5"], 69,
            "cannot bind to \(address): Address already in use; choose another port, or stop the "
                + "program that uses it ('ss -ulpn' names it)")
    }

    @Test func links() throws {
        try expect(
            ["emulate", "--to", "127.0.0.1:9", "--link", "rata=5"], 64,
            "link option 'rata=5': no such key; use one of rate, rate@S, trace, rates, queue, aqm, "
                + "police, delay, rtt, netem, down, ge, fading, loss, delays, aggregate, jitter, "
                + "reorder, duplicate, corrupt, name, mtu (prefix f or r sets one direction only)")
        try expect(
            ["emulate", "--to", "127.0.0.1:9", "--link", "loss=2"], 64,
            "link option 'loss=2': use a probability from 0 to 1, as 0.01 for 1 %")
        try expect(
            ["emulate", "--to", "127.0.0.1:9"], 64,
            "0 links; give 1 to 16 with --link, as --link rate=20,rtt=20")
    }

    @Test func modelOfAnotherSchema() throws {
        let file = scratch.file("m.safetensors")
        let size = FeatureSchema.count + 1
        let metadata = [
            "format": "pathwise", "kind": "ridge", "version": "1", "schema": "0123456789abcdef",
        ].map { "\"\($0)\":\"\($1)\"" }.joined(separator: ",")
        let header =
            "{\"__metadata__\":{\(metadata)},\"weights\":{\"dtype\":\"F64\",\"shape\":[\(size)],"
            + "\"data_offsets\":[0,\(8 * size)]}}"
        let length = (0..<8).map { UInt8(truncatingIfNeeded: header.utf8.count >> (8 * $0)) }
        write(
            length + Array(header.utf8) + [UInt8](repeating: 0, count: 8 * size), to: file)
        let line =
            "model \(file): made for feature schema 0123456789abcdef, this program has "
            + "\(StableHash.text(FeatureSchema.current.hash)); train again with this version"
        try expect(["model", "info", file], 65, line)
        var world = World(seed: 1)
        let trace = scratch.file("t.trace")
        try world.write(100, to: trace)
        try expect(["evaluate", trace, "--policy", file], 65, line)
    }

    @Test func traceOfAnotherSchema() throws {
        var world = World(seed: 1)
        let trace = scratch.file("t.trace")
        try world.write(100, to: trace, schemaHash: "0123456789abcdef")
        let line =
            "trace '\(trace)' has feature schema 0123456789abcdef, expected "
            + "\(StableHash.text(FeatureSchema.current.hash)); record it again, or use the "
            + "pathwise that wrote it"
        try expect(["train", trace, "--output", scratch.file("m")], 65, line)
        try expect(["evaluate", trace, "--policy", "steady"], 65, line)
    }

    @Test func truncatedTrace() throws {
        var world = World(seed: 1)
        let trace = scratch.file("t.trace")
        try world.write(2_000, to: trace)
        let whole = try #require(bytes(of: trace))
        write(Array(whole[..<(whole.count / 2)]), to: trace)
        for arguments in [
            ["train", trace, "--output", scratch.file("m")], ["trace", "info", trace],
            ["evaluate", trace, "--policy", "steady"], ["trace", "export", trace],
        ] {
            let run = try Pathwise(arguments).wait()
            #expect(run.status == 65, "\(arguments)")
            let line = try #require(run.errorLine)
            #expect(line.hasPrefix("pathwise: trace '\(trace)' is damaged: "))
            #expect(line.contains("restore the whole file"))
        }
        #expect(access(scratch.file("m"), F_OK) != 0)
    }

    @Test func notATrace() throws {
        let file = scratch.file("notes.txt")
        write(Array("Dear diary, today I sent over three paths.\n".utf8), to: file)
        let line = "'\(file)' is not a trace: "
        for arguments in [
            ["train", file, "--output", scratch.file("m")], ["trace", "info", file],
            ["trace", "verify", file], ["evaluate", file, "--policy", "steady"],
        ] {
            let run = try Pathwise(arguments).wait()
            #expect(run.status == 65)
            #expect(run.errorLine?.hasPrefix("pathwise: " + line) == true)
            #expect(run.errorLine?.hasSuffix("; name a file written by --record") == true)
        }
        try expect(
            ["trace", "verify", scratch.path], 65,
            "'\(scratch.path)' is not a trace: it is not a regular file; name a file written by "
                + "--record")
    }

    @Test func policies() throws {
        try expect(
            ["evaluate", "t.trace", "--policy", "stedy"], 64,
            "The value 'stedy' is invalid for '--policy <policy>': there is no policy \"stedy\": "
                + "did you mean \"steady\"? See 'pathwise evaluate --help'")
        try expect(
            ["evaluate", "t.trace", "--policy", "lin-ucb:beta=1"], 64,
            "The value 'lin-ucb:beta=1' is invalid for '--policy <policy>': policy lin-ucb has no "
                + "parameter \"beta\": it takes alpha, lambda, epsilon, half-life, ratio, slack, "
                + "features; see 'pathwise evaluate --help'")
        try expect(
            ["evaluate", "t.trace"], 64,
            "no policy to evaluate; give --policy, as --policy steady")
    }

    @Test func numbersOfEvaluation() throws {
        let option = "is invalid for '--estimator <name[=lambda]>': "
        let end = "; see 'pathwise evaluate --help'"
        try expect(
            ["evaluate", "--log", "l.csv", "--estimator", "dr-clip=-3"], 64,
            "The value 'dr-clip=-3' \(option)the number is the largest weight; write dr-clip=10, "
                + "or dr-clip to let --tune choose it" + end)
        try expect(
            ["evaluate", "--log", "l.csv", "--estimator", "sg-dr=3"], 64,
            "The value 'sg-dr=3' \(option)the number is the correction, in 0 ... 1; write "
                + "sg-dr=0.1, or sg-dr to let --tune choose it" + end)
        try expect(
            ["evaluate", "--log", "l.csv", "--estimator", "snips=2"], 64,
            "The value 'snips=2' \(option)snips takes no number; write snips" + end)
        try expect(
            ["evaluate", "--log", "l.csv", "--reward-range", "3..1"], 64,
            "The value '3..1' is invalid for '--reward-range <low..high>': write the lowest and the "
                + "highest reward, as 0..1" + end)
    }

    @Test func commandLines() throws {
        try expect(["frobnicate"], 64, "Unexpected argument 'frobnicate'; see 'pathwise --help'")
        try expect(
            ["train", "t.trace"], 64,
            "nothing to write: name a model by --output or a file by --statistics")
        try expect(
            ["trace", "info", "t.trace", "--jason"], 64,
            "Unknown option '--jason'. Did you mean '--json'? See 'pathwise trace info --help'")
        try expect(
            ["train", "t.trace", "--output", "m", "--holdout", "2"], 64,
            "The value '2' is invalid for '--holdout <share>': write a share as 0.2 or 20%; "
                + "see 'pathwise train --help'")
    }
}
