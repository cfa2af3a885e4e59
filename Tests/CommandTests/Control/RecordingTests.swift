import Glibc
import PathLearning
import PathTelemetry
import PathTrace
import Testing

@testable import PathwiseCommand

/// Recordings that stay on: files of a folder follow each other, are limited, and survive a full disk.
@Suite(.serialized, .timeLimit(.minutes(5))) struct RecordingTests {
    private let scratch = Scratch()

    @Test func rulesAreRead() throws {
        let usual = try RecordingRules()
        #expect(usual == (try RecordingRules(parsing: RecordingRules.form)))
        #expect(usual.size == 256_000_000 && usual.age == .seconds(86_400))
        #expect(usual.total == 4_000_000_000 && usual.share == 1)
        let other = try RecordingRules(parsing: "share=0.05,age=90s,size=1MB,total=2MB")
        #expect(other.share == 0.05 && other.age == .seconds(90))
        #expect(other.size == 1_000_000 && other.total == 2_000_000)
        for (text, reason) in [
            ("", "write rules as size=256MB"), ("size", "write rules as"),
            ("size=1MB,", "write rules as"), ("size=999kB", "at least 1MB"),
            ("size=1MB,total=1MB", "at least twice size"), ("total=300MB", "at least twice size"),
            ("age=0s", "at least 1s"), ("age=1d", "write a time"), ("share=0", "at least 1e-06"),
            ("share=2", "write a share"), ("rate=1", "there are size, age, total and share"),
            ("size=9999999TB", "at most"),
        ] {
            let error = #expect(throws: SyntaxProblem.self, "\(text)") {
                try RecordingRules(parsing: text)
            }
            #expect(error?.description.contains(reason) == true, "\(text): \(error as Any)")
        }
        let run = try Pathwise.run("forward", "udp:1", "--record", "x", "--record-rules", "age=1")
        #expect(run.status == 64 && run.errors.contains("--record-rules 'age=1'"), "\(run.errors)")
    }

    private func make(_ name: String, bytes: Int) {
        write([UInt8](repeating: 1, count: bytes), to: scratch.file(name))
    }

    /// The oldest complete files go; what others made, or write, stays.
    @Test func theOldestCompleteFilesGo() throws {
        let folder = try #require(RecordingFolder(scratch.path))
        #expect(folder.path == scratch.path + "/")
        #expect(RecordingFolder(scratch.file("none")) == nil)
        #expect(RecordingFolder(scratch.file("none/")) != nil)
        let other = "20260101T000000Z-\(getppid()).trace"
        for (name, bytes) in [
            ("20260101T000001Z-999999999.trace", 1000), ("20260101T000002Z-999999999.trace", 1000),
            ("20260101T000002Z-999999999.trace-wal", 500), ("20260101T000003Z-7-2.trace", 1000),
            ("20260101T000004Z-7-002.trace", 1000), (other, 1000), (other + "-wal", 1000),
            ("mine.trace", 9000), ("20260101T000000Z-x.trace", 9000), ("20260101.trace", 9000),
        ] { make(name, bytes: bytes) }
        let open = scratch.file("20260101T000003Z-7-2.trace")
        #expect(folder.prune(to: 6500, keeping: [open]) == 0)
        #expect(folder.prune(to: 6499, keeping: [open]) == 1)
        #expect(access(scratch.file("20260101T000001Z-999999999.trace"), F_OK) != 0)
        // Its process is gone, and its log goes with it.
        #expect(folder.prune(to: 5000, keeping: [open]) == 1)
        #expect(access(scratch.file("20260101T000002Z-999999999.trace-wal"), F_OK) != 0)
        #expect(folder.prune(to: 0, keeping: [open]) == 1)
        let left = Scratch.names(in: scratch.path)
        #expect(
            left
                == [
                    other, other + "-wal", "20260101T000000Z-x.trace", "20260101T000003Z-7-2.trace",
                    "20260101.trace", "mine.trace",
                ].sorted())
        #expect(folder.prune(to: 0, keeping: []) == 1)
        for name in ["20260101T000003Z-7-2.trace", "20261231T235959Z-1.trace"] {
            #expect(RecordingFolder.process(of: name) != nil)
        }
        for name in [
            "20260101T000003Z-0.trace", "20260101T000003Z--7.trace", "20260101T000003Z-7-x.trace",
            "20260101T00000aZ-7.trace", "20260101T000003Z-7.trace-wal", "-7.trace", ".trace",
        ] { #expect(RecordingFolder.process(of: name) == nil, "\(name)") }
        #expect((folder.freeBytes ?? 0) > 0)
    }

    /// Sends bytes through a forward until a condition holds; returns whether it came to hold.
    private func traffic(_ port: UInt16, until condition: () throws -> Bool) throws -> Bool {
        let end = seconds() + 60
        let bytes = [UInt8](repeating: 5, count: 200_000)
        while try !condition() {
            guard seconds() < end else { return false }
            #expect(try PlainConnection(to: port).exchange(bytes).count == bytes.count)
        }
        return true
    }

    /// Files follow each other while data flows, on both sides; together they have every decision, and
    /// the commands take the folder.
    @Test func filesFollowEachOther() throws {
        let (mine, its) = (scratch.file("client/"), scratch.file("server/"))
        let server = try RunningServer.joined(
            ["--record", its, "--record-rules", "age=1s,size=1MB,total=50MB"])
        let echo = try EchoServer()
        defer { echo.stop() }
        let client = try server.forward(
            "tcp:0=127.0.0.1:\(echo.port)", "--record", mine, "--record-rules", "age=1s",
            "--path", "a=127.0.0.1", "--path", "b=127.0.0.2")
        let port = try port(of: "tcp", in: client.output)
        #expect(
            try traffic(port) {
                RecordingFolder.traces(in: mine).count >= 4
                    && RecordingFolder.traces(in: its).count >= 3
            })
        let told = try server.status(of: "van")
        let made = try told.number("processes", 0, "sessions", 0, "decisions")
        kill(client.process, SIGTERM)
        #expect(client.wait().status == 143)
        _ = server.end()
        for folder in [mine, its] {
            #expect(Scratch.names(in: folder).allSatisfy { $0.hasSuffix(".trace") })
        }
        let whole = scratch.file("whole.trace")
        let run = try Pathwise(["trace", "merge", mine, "--output", whole]).wait()
        #expect(run.status == 0, "\(run.errors)")
        #expect(try Pathwise(["trace", "verify", whole]).wait().status == 0)
        let reader = try TraceReader(path: whole)
        // Each file begins with the decision after the last one of the file before.
        var next: UInt64?
        try reader.forEachDecision { decision in
            if let next { #expect(decision.record.number == next) }
            next = decision.record.number + 1
        }
        let info = try reader.info()
        #expect(info.decisions >= Int(made), "\(info.decisions) of \(made)")
        #expect(info.sessions.count >= 4)
        #expect(info.sessions.allSatisfy { $0.paths.map(\.info.name).sorted() == ["a", "b"] })
        let evaluated = try Pathwise(["evaluate", mine, "--policy", "steady", "--json"]).wait()
        #expect(evaluated.status == 0, "\(evaluated.errors)")
        #expect(try JSONReading(evaluated).number("decisions") == Double(info.decisions))
        let model = scratch.file("m.safetensors")
        let trained = try Pathwise(["train", mine, "--output", model]).wait()
        // So short a run may have too few decisions with a choice, which are counted over all files.
        #expect(
            trained.status == 0
                || trained.status == 65 && trained.errors.contains("usable decisions; at least"),
            "\(trained.errors)")
        let empty = try Pathwise(["trace", "merge", "/proc/self", "--output", whole + "2"]).wait()
        #expect(empty.status == 66 && empty.errors.contains("has no file '*.trace'"))
    }

    /// A share is recorded, and a reload changes the rules at once.
    @Test func aShareIsRecorded() throws {
        let server = try RunningServer.joined()
        let echo = try EchoServer()
        defer { echo.stop() }
        let folder = scratch.file("t/")
        let config = scratch.file("c.toml")
        func configure(_ share: String) {
            write(
                Array(
                    """
                    [forward]
                    forwards = "tcp:0=127.0.0.1:\(echo.port)"
                    record = "\(folder)"
                    record-rules = "share=\(share)"
                    [[path]]
                    name = "a"
                    address = "127.0.0.1"
                    [[path]]
                    name = "b"
                    address = "127.0.0.2"
                    """.utf8), to: config)
        }
        configure("20%")
        let client = try server.forward("--config", config)
        let port = try port(of: "tcp", in: client.output)
        func decisions() throws -> Double {
            try server.status(of: "van").number("processes", 0, "sessions", 0, "decisions")
        }
        #expect(try traffic(port) { try decisions() > 400 })
        let made = try decisions()
        configure("100%")
        let reload = try Pathwise(["reload", "--state", server.folder.file("van")]).wait()
        #expect(reload.output.contains("forward.record-rules"), "\(reload)")
        #expect(try traffic(port) { try decisions() > made + 300 })
        // What is recorded tells how the session explores.
        #expect(
            try traffic(port) {
                try server.status(of: "van")
                    .optionalNumber("processes", 0, "sessions", 0, "learning", "decisions") ?? 0 > 0
            })
        let learning = try server.status(of: "van")
        let least = try learning.number(
            "processes", 0, "sessions", 0, "learning", "least_propensity")
        let mean = try learning.number("processes", 0, "sessions", 0, "learning", "mean_propensity")
        #expect(least > 0 && least <= mean && mean <= 1)
        let explored = try learning.number(
            "processes", 0, "sessions", 0, "learning", "explored_share")
        #expect((0...1).contains(explored))
        let all = try decisions()
        kill(client.process, SIGTERM)
        _ = client.wait()
        let traces = RecordingFolder.traces(in: folder)
        try #require(traces.count == 2)
        let infos = try traces.map { try TraceReader(path: $0).info() }
        #expect(infos[0].sessions.map(\.session.info.share) == [0.2])
        #expect(infos[1].sessions.map(\.session.info.share) == [1])
        #expect((0.1 * made...0.33 * made).contains(Double(infos[0].decisions)), "\(made)")
        #expect(Double(infos[1].decisions) >= all - made - 60)
        let shown = try Pathwise(["trace", "info", traces[0]]).wait()
        #expect(shown.output.contains("recorded with 20.0% of the decisions, chosen by chance"))
        let json = try JSONReading(Pathwise(["trace", "info", "--json", traces[0]]).wait())
        #expect(try json.number("sessions", 0, "share") == 0.2)
        #expect(try json.number("format_version") == 5)
    }

    private static let mayMount: Bool = {
        guard geteuid() == 0 else { return false }
        let folder = Scratch()
        guard mount("tmpfs", folder.path, "tmpfs", 0, "size=1m") == 0 else { return false }
        umount2(folder.path, Int32(MNT_DETACH))
        return true
    }()

    /// A full disk stops the recording with one line and nothing else; with room it goes on.
    @Test(.enabled(if: mayMount, "needs root, to mount a small file system"))
    func aFullDiskStopsOnlyTheRecording() throws {
        let server = try RunningServer.joined()
        let echo = try EchoServer()
        defer { echo.stop() }
        let disk = Scratch()
        try #require(mount("tmpfs", disk.path, "tmpfs", 0, "size=16m") == 0)
        defer { umount2(disk.path, Int32(MNT_DETACH)) }
        let client = try server.forward(
            "tcp:0=127.0.0.1:\(echo.port)", "--record", disk.path, "--record-rules",
            "size=2MB,total=6MB")
        let port = try port(of: "tcp", in: client.output)
        // Something else fills the disk.
        let filler = open(disk.file("filler"), O_CREAT | O_WRONLY, 0o600)
        defer { close(filler) }
        let block = [UInt8](repeating: 7, count: 65_536)
        while Glibc.write(filler, block, block.count) > 0 {}
        #expect(
            try traffic(port) {
                client.output.contains("problem: the recording stops: the disk is full; it goes on")
            }, "\(client.output)")
        // Traffic goes on, and nothing more is said.
        let end = seconds() + 7
        #expect(try traffic(port) { seconds() > end })
        #expect(client.output.ranges(of: "the recording stops").count == 1)
        #expect(!client.output.contains("the recording goes on in"))
        ftruncate(filler, 0)
        #expect(
            try traffic(port) { client.output.contains("the recording goes on in \(disk.path)/") },
            "\(client.output)")
        #expect(try traffic(port) { seconds() > end + 5 })
        kill(client.process, SIGTERM)
        #expect(client.wait().status == 143)
        let last = try #require(RecordingFolder.traces(in: disk.path).last)
        let info = try TraceReader(path: last).info()
        #expect(info.decisions > 10)
        #expect(info.sessions.count == 1 && info.sessions[0].session.ended != nil)
    }
}
