import Glibc
import PathTrace
import Testing

@testable import PathTelemetry

private let shared: String = {
    if let path = getenv("PATHWISE_SHARED") { return String(cString: path) }
    var parts = #filePath.split(separator: "/").dropLast(3)
    parts.append(contentsOf: ["..", "shared"])
    return "/" + parts.joined(separator: "/")
}()
private let hasShared = access(shared + "/traces", R_OK) == 0

@Suite struct ImportTests {
    private func samples(_ path: String) throws -> [PathSample] {
        var samples: [PathSample] = []
        try TraceReader(path: path).forEachSample { samples.append($1) }
        return samples
    }

    /// Imports one file under a path's name, or the reason why not.
    private func run(
        _ text: String, _ scratch: Scratch, format: TraceImportFormat? = nil
    ) throws -> [PathSample] {
        let file = scratch.file("input")
        write(Array(text.utf8), to: file)
        unlink(scratch.file())
        let result = try TraceImporter().run(
            [TraceImporter.Source(file: file, format: format, name: "lte")],
            into: scratch.file(), programVersion: "1", command: "import")
        let samples = try samples(scratch.file())
        #expect(result.samples == [samples.count])
        #expect(try TraceVerifier(TraceReader(path: scratch.file())).verify().isSound)
        return samples
    }

    @Test func mahimahiBecomesCapacity() throws {
        let scratch = Scratch()
        // Three opportunities in the first 100 ms, none in the second, one in the third.
        let read = try run("0\n0\n99\n250\n", scratch)
        #expect(read.map { $0.time.nanoseconds } == [100_000_000, 200_000_000, 300_000_000])
        #expect(read.map { $0.snapshot.deliveryRate } == [45_000, 0, 15_000])
        let paths = try TraceReader(path: scratch.file()).paths()
        #expect(paths.map(\.info.name) == ["lte"])
        let session = try #require(try TraceReader(path: scratch.file()).sessions().first)
        #expect(session.info.role == "import")
        #expect(session.ended == Instant(nanoseconds: 300_000_000))
    }

    @Test func pingsBecomeRoundTripTimes() throws {
        let scratch = Scratch()
        let read = try run(
            "unix_s,seq,rtt_ms\r\n1700000000.5,1,40\r\n1700000001.0,2,\r\n1700000001.5,3,80\r\n",
            scratch)
        #expect(read.map { $0.time.nanoseconds } == [0, 500_000_000, 1_000_000_000])
        #expect(
            read.map { $0.snapshot.latestRTT } == [
                .milliseconds(40), .zero, .milliseconds(80),
            ])
        #expect(read.map { $0.snapshot.probeTimeouts } == [0, 1, 0])
        #expect(read[2].snapshot.smoothedRTT == .milliseconds(45))
        #expect(read[2].snapshot.rttVariation == .milliseconds(25))
        #expect(read[2].snapshot.minRTT == .milliseconds(40))
        let session = try #require(try TraceReader(path: scratch.file()).sessions().first)
        #expect(session.info.startedWallClock == 1_700_000_000_500_000_000)
    }

    @Test func iperfBecomesRates() throws {
        let scratch = Scratch()
        let read = try run(
            """
            {"start": {"timestamp": {"timesecs": 1700000000}},
             "intervals": [
              {"streams": [{"rtt": 30000, "rttvar": 1500, "snd_cwnd": 14480}],
               "sum": {"start": 0, "end": 1.0, "bits_per_second": 8e6}},
              {"streams": [{}], "sum": {"start": 1, "end": 2.5, "bits_per_second": 0}}]}
            """, scratch)
        #expect(read.map { $0.time.nanoseconds } == [1_000_000_000, 2_500_000_000])
        #expect(read.map { $0.snapshot.deliveryRate } == [1e6, 0])
        #expect(read[0].snapshot.smoothedRTT == .milliseconds(30))
        #expect(read[0].snapshot.rttVariation == .microseconds(1500))
        #expect(read[0].snapshot.congestionWindow == 14_480)
        #expect(read[1].snapshot.smoothedRTT == .zero)
    }

    @Test func manyFilesAreManyPaths() throws {
        let scratch = Scratch()
        var sources: [TraceImporter.Source] = []
        for index in 0..<16 {
            let file = scratch.file("link\(index)")
            write(Array("\(index)\n200\n".utf8), to: file)
            sources.append(TraceImporter.Source(file: file, name: "link\(index)"))
        }
        _ = try TraceImporter().run(
            sources, into: scratch.file(), programVersion: "1", command: "")
        let reader = try TraceReader(path: scratch.file())
        #expect(try reader.paths().count == 16)
        #expect(try samples(scratch.file()).count == 48)
        #expect(throws: TraceError.self) {
            try TraceImporter().run(
                sources + sources, into: scratch.file("b.trace"), programVersion: "1", command: "")
        }
    }

    @Test(arguments: [
        ("", "the file is empty"), ("1\n2\nx\n", "line 3: 'x' is no millisecond"),
        ("5\n4\n", "line 2: 4 ms follows 5 ms"), ("1\n9000000000000\n", "more than an hour after"),
        ("99999999999999999999\n", "is no millisecond"), ("a,b\n1,2\n", "say what it is with"),
        ("rtt_ms\n1\n", "the header has no time"), ("rtt_ms,time_s\n1\n", "line 2: 1 columns"),
        ("rtt_ms,time_s\nx,1\n", "line 2: the RTT 'x'"), ("rtt_ms,time_s\n1,nan\n", "no number"),
        ("rtt_ms,time_s\n-1,1\n", "the RTT '-1'"), ("rtt_ms,time_s\n1,5\n1,4\n", "goes back"),
        ("rtt_ms,time_s\n1,1e300\n", "out of range"), ("rtt_ms,time_s\n", "the file has no row"),
        ("{\"intervals\": [", "no valid JSON"), ("{}", "no 'intervals'"),
        ("{\"intervals\": 3}", "no 'intervals'"),
        ("{\"intervals\": [3]}", "interval 0 has no 'sum'"),
        ("{\"intervals\": [{\"sum\": {\"end\": \"a\"}}]}", "a 'sum.end' that is no such number"),
        ("{\"error\": \"unable to connect\"}", "unable to connect"),
    ])
    func whatIsMalformedIsNamed(text: String, reason: String) throws {
        let scratch = Scratch()
        do {
            _ = try run(text, scratch)
            Issue.record("it was imported")
        } catch let error as TraceError {
            #expect(error.description.contains(reason), "\(error)")
            #expect(error.description.contains(scratch.file("input")))
        }
        #expect(access(scratch.file(), F_OK) != 0)
    }

    @Test func randomFilesNeverTrap() throws {
        let scratch = Scratch()
        var generator = SeededGenerator(seed: 9)
        let pieces = [
            "0", "1", "999", ",", "\n", "rtt_ms", "time_s", "unix_s", "{\"intervals\":[", "]}", "{",
            "\"sum\":", "\"end\":1", "}", "-", "1e999", "\0", "ü", "9223372036854775807", " ",
        ]
        for _ in 0..<400 {
            var text = ["", "rtt_ms,time_s\n", "{\"intervals\":[{\"sum\":{"][generator.below(3)]
            for _ in 0..<generator.below(20) { text += pieces[generator.below(pieces.count)] }
            do { _ = try run(text, scratch) } catch let error as TraceError {
                #expect(error.description.count < 600)
            }
        }
    }

    @Test(.enabled(if: hasShared, "the folder of measured links is not there"))
    func measuredLinksAreRead() throws {
        let scratch = Scratch()
        let files = [
            ("mahimahi_cellular/TMobile-LTE-short.down", TraceImportFormat.mahimahi),
            ("starlink_mmsys24/ping_gateway_noisl.csv", .ping),
            ("pam2025_multicarrier/05-13-2023_atnt.csv", .ping),
        ]
        for (index, (file, format)) in files.enumerated() {
            let target = scratch.file("\(index).trace")
            let result = try TraceImporter().run(
                [TraceImporter.Source(file: shared + "/traces/" + file, name: "a")],
                into: target, programVersion: "1", command: "")
            #expect(result.formats == [format])
            #expect(result.samples[0] > 100)
            #expect(try TraceVerifier(TraceReader(path: target)).verify().isSound)
        }
    }
}
