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

    /// Imports one file under a path's name; returns the reason if that fails.
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
        #expect(result.map(\.samples).reduce(0, +) == samples.count)
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

    /// A file of ten full intervals has ten samples: an opportunity at the end of an interval does
    /// not open another one, which would be a hole in each round.
    @Test func mahimahiIntervalsAreFull() throws {
        let text = (1...1000).map { "\($0)\n" }.joined()
        let read = try run(text, Scratch())
        #expect(read.count == 10)
        #expect(read.allSatisfy { $0.snapshot.deliveryRate == 1_500_000 })
        #expect(read.last?.time.nanoseconds == 1_000_000_000)
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
        #expect(try samples(scratch.file()).count == 32)
        #expect(throws: TraceError.self) {
            try TraceImporter().run(
                sources + sources, into: scratch.file("b.trace"), programVersion: "1", command: "")
        }
    }

    // MARK: Recorded outputs

    private func recording(_ name: String) -> String {
        let folder = "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/")
        return folder + "/Recordings/" + name
    }

    /// Imports recordings; the session, the paths, and each path's samples.
    private func run(
        _ files: [String], _ scratch: Scratch
    ) throws -> (SessionInfo, [TraceImporter.ImportedPath], [[PathSample]]) {
        let result = try TraceImporter().run(
            files.map { TraceImporter.Source(file: $0) }, into: scratch.file(),
            programVersion: "1", command: "import")
        let reader = try TraceReader(path: scratch.file())
        #expect(try TraceVerifier(reader).verify().isSound)
        #expect(try reader.paths().map(\.info.name) == result.map(\.name))
        let samples = try samples(scratch.file())
        let byPath = result.indices.map { path in
            samples.filter { $0.snapshot.path == PathID(path) }
        }
        #expect(byPath.map(\.count) == result.map(\.samples))
        return (try #require(try reader.sessions().first).info, result, byPath)
    }

    @Test func whatPingPrintsIsRead() throws {
        let scratch = Scratch()
        let (session, paths, samples) = try run(
            [recording("ping.txt"), recording("ping-ipv6.txt")], scratch)
        #expect(paths.map(\.format) == [.ping, .ping])
        #expect(session.startedWallClock == 1_795_910_310_585_280_000)
        #expect(samples[0].map { $0.snapshot.latestRTT.microseconds } == [208, 36, 37, 36, 38])
        #expect(
            samples[0].map { $0.time.nanoseconds } == [
                0, 201_783_000, 405_820_000, 613_772_000, 821_798_000,
            ])
        #expect(samples[0].allSatisfy { $0.snapshot.probeTimeouts == 0 })
        #expect(samples[1].map { $0.snapshot.latestRTT.microseconds } == [143, 44])
        #expect(samples[1].first?.time == Instant(nanoseconds: 3_204_566_000))
    }

    @Test func unansweredPingsCount() throws {
        let scratch = Scratch()
        let (_, _, samples) = try run([recording("ping-unanswered.txt")], scratch)
        #expect(samples[0].map { $0.snapshot.probeTimeouts } == [1, 2, 3])
        #expect(samples[0].allSatisfy { $0.snapshot.latestRTT == .zero })
        // Without -O, ping does not report a lost answer: its number is missing. A late answer
        // counts.
        let read = try run(
            """
            PING x (192.0.2.1) 56(84) bytes of data.
            [100.0] 64 bytes from 192.0.2.1: icmp_seq=65534 ttl=64 time=10 ms
            [104.0] 64 bytes from 192.0.2.1: icmp_seq=2 ttl=64 time=20 ms
            [104.5] 64 bytes from 192.0.2.1: icmp_seq=1 ttl=64 time=1500 ms
            [104.6] 64 bytes from 192.0.2.1: icmp_seq=2 ttl=64 time=20 ms (DUP!)
            [105.0] From 192.0.2.9 icmp_seq=3 Destination Host Unreachable
            [106.0] 64 bytes from 192.0.2.1: icmp_seq=4 ttl=64 time<1 ms
            """, scratch)
        #expect(
            read.map { ($0.time - Instant.zero).milliseconds } == [
                0, 3000, 4000, 4500, 4600, 5000, 6000,
            ])
        #expect(read.map { $0.snapshot.probeTimeouts } == [0, 3, 0, 0, 0, 1, 0])
        #expect(
            read.map { $0.snapshot.latestRTT.milliseconds } == [10, 0, 20, 1500, 20, 0, 1])
    }

    /// The same three pings in the formats of various programs.
    @Test(arguments: [
        "unix_s,rtt_ms\n1700000000,40\n1700000000.5,\n1700000001,80\n",
        "\u{feff}unix_s,rtt_ms\r\n1700000000,40\r\n1700000000.5,timeout\r\n1700000001,80\r\n",
        "\"time\";\"RTT_ms\"\n\"1700000000,0\";\"40,0\"\n\"1700000000,5\";\"Request timed out\"\n"
            + "\"1700000001\";\"80\"\n",
        "host,timestamp,rtt\n\"a, \"\"b\"\"\",2023-11-14T22:13:20Z,40\n"
            + "x,2023-11-14 22:13:20.500,*\nx,2023-11-14T23:13:21+01:00,80\n",
        "unix_ms\tlatency_ms\n1700000000000\t40\n1700000000500\tnan\n1700000001000\t80\n",
        " rtt_ms , time_s , seq\n40, 0 ,1\n-, 0.5 ,2\n80, 1.0 ,3\n",
    ])
    func pingTablesOfManyProgramsAreRead(text: String) throws {
        let scratch = Scratch()
        let read = try run(text, scratch)
        #expect(read.map { $0.time.nanoseconds } == [0, 500_000_000, 1_000_000_000])
        #expect(
            read.map { $0.snapshot.latestRTT } == [.milliseconds(40), .zero, .milliseconds(80)])
        #expect(read.map { $0.snapshot.probeTimeouts } == [0, 1, 0])
        let session = try #require(try TraceReader(path: scratch.file()).sessions().first)
        #expect(
            session.info.startedWallClock
                == (text.contains("time_s") ? 0 : 1_700_000_000_000_000_000))
    }

    @Test func anEarlierSecondFileIsSound() throws {
        let scratch = Scratch()
        for (name, text) in [
            ("one", "unix_s,rtt_ms\n1700000000,20.5\n1700000010,21\n"),
            ("two", "unix_s,rtt_ms\n1699999995,20.5\n1700000015,21\n"),
        ] { write(Array(text.utf8), to: scratch.file(name)) }
        let (session, _, samples) = try run([scratch.file("one"), scratch.file("two")], scratch)
        #expect(session.startedWallClock == 1_699_999_995_000_000_000)
        #expect(
            samples.map { $0.map { $0.time.nanoseconds / 1_000_000_000 } } == [
                [5, 15], [0, 20],
            ])
    }

    @Test func omittedIntervalsAreLeftOut() throws {
        let scratch = Scratch()
        let (_, paths, samples) = try run([recording("iperf3-omit.json")], scratch)
        #expect(paths.map(\.name) == ["iperf3-omit.json"])
        // One second is omitted; iperf3 counts from zero again after it.
        #expect(samples[0].count == 4)
        #expect(
            samples[0].map { (($0.time - Instant.zero).seconds * 10).rounded() / 10 } == [
                1.5, 2.0, 2.5, 3.0,
            ])
        #expect(samples[0].allSatisfy { (6.0e6...6.6e6).contains($0.snapshot.deliveryRate) })
    }

    @Test func bothDirectionsBecomePaths() throws {
        let scratch = Scratch()
        let (_, paths, samples) = try run(
            [
                recording("iperf3-both-omit.json"), recording("iperf3-reverse.json"),
                recording("iperf3-udp.json"),
            ], scratch)
        #expect(
            paths.map(\.name) == [
                "iperf3-both-omit.json", "iperf3-both-omit.json-reverse",
                "iperf3-reverse.json-reverse", "iperf3-udp.json",
            ])
        #expect(samples.map(\.count) == [2, 2, 2, 2])
        // Only the sender of a direction knows its round trip, and only the client reports.
        #expect(samples[0].allSatisfy { $0.snapshot.smoothedRTT > .zero })
        #expect(samples[1].allSatisfy { $0.snapshot.smoothedRTT == .zero })
        #expect(samples[1].allSatisfy { $0.snapshot.deliveryRate > 1e6 })
        #expect(samples[2].map { ($0.snapshot.deliveryRate * 8e-6).rounded() } == [50, 50])
        #expect(samples[3].map { ($0.snapshot.deliveryRate * 8e-6).rounded() } == [20, 20])
        // A name that is given is the name of what was measured.
        let named = try TraceImporter().run(
            [
                TraceImporter.Source(file: recording("iperf3-reverse.json"), name: "down"),
                TraceImporter.Source(file: recording("iperf3-both-omit.json"), name: "dsl"),
            ], into: scratch.file("named.trace"), programVersion: "1", command: "")
        #expect(named.map(\.name) == ["down", "dsl", "dsl-reverse"])
    }

    @Test func pingWithoutTimesIsRefusedByName() throws {
        let scratch = Scratch()
        #expect(throws: TraceError.self) {
            _ = try run([recording("ping-without-times.txt")], scratch)
        }
    }

    @Test(arguments: [
        ("", "the file is empty"), ("1\n2\nx\n", "line 3: 'x' is not a number of milliseconds"),
        ("5\n4\n", "line 2: 4 ms follows 5 ms"), ("1\n9000000000000\n", "more than an hour after"),
        ("99999999999999999999\n", "is not a number of milliseconds"),
        ("a,b\n1,2\n", "say what it is with"),
        ("rtt_ms\n1\n", "the header has no time"), ("rtt_ms,time_s\n1\n", "line 2: 1 columns"),
        ("rtt_ms,time_s\nx,1\n", "line 2: the RTT 'x'"), ("rtt_ms,time_s\n1,nan\n", "not a number"),
        ("rtt_ms,time_s\n-1,1\n", "the RTT '-1'"), ("rtt_ms,time_s\n1,5\n1,4\n", "goes back"),
        ("rtt_ms,time_s\n1,1e300\n", "out of range"), ("rtt_ms,time_s\n", "the file has no row"),
        ("rtt_ms,time_s\n\"1,2\n", "a quote has no end"),
        ("rtt_ms,time\n1,2026-13-01 00:00:00\n", "not an ISO 8601 date"),
        ("PING x (192.0.2.1)\n64 bytes from x: icmp_seq=1 time=3 ms\n", "'ping -D'"),
        ("PING x (192.0.2.1)\n\n", "no answer of a ping"),
        ("[12] 64 bytes from x: icmp_seq=1 time=x ms\n", "line 1: the answer has no time"),
        ("[1e99] 64 bytes from x: icmp_seq=1 time=1 ms\n", "line 1: the time '1e99'"),
        ("[12] 64 bytes from x: icmp_seq=70000 time=1 ms\n", "out of range"),
        (
            "[12] 64 bytes from x: icmp_seq=1 time=1 ms\n[11] 64 bytes from x: icmp_seq=2 time=1\n",
            "line 2: the time goes back"
        ),
        (
            "{\"intervals\": [{\"sum\": {\"end\": 1, \"bits_per_second\": 1, \"omitted\": true}}]}",
            "all its intervals are marked as omitted"
        ),
        ("1\n3000000\n6000000\n900\n", "times must not go back"),
        ("{\"intervals\": [", "not valid JSON"), ("{}", "no 'intervals'"),
        ("{\"intervals\": 3}", "no 'intervals'"),
        ("{\"intervals\": [3]}", "interval 0 has no 'sum'"),
        ("{\"intervals\": [{\"sum\": {\"end\": \"a\"}}]}", "an invalid 'sum.end'"),
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
            "0", "1", "999", ",", "\n", "rtt_ms", "\"", ";", "[", "]", "64 bytes from x: icmp_seq=",
            "time=", "no answer yet", "PING ", "2026-01-01T00:00:00", "\u{feff}", "timeout",
            "\"sum_bidir_reverse\":", "\"omitted\":true", "\"start\":0", "\"streams\":[", "time_s",
            "unix_s", "{\"intervals\":[", "]}", "{",
            "\"sum\":", "\"end\":1", "}", "-", "1e999", "\0", "ü", "9223372036854775807", " ",
        ]
        for _ in 0..<400 {
            var text = [
                "", "rtt_ms,time_s\n", "{\"intervals\":[{\"sum\":{",
                "[1.5] 64 bytes from x: icmp_seq=",
                "time;rtt\n",
            ][generator.below(5)]
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
            #expect(result.map(\.format) == [format])
            #expect(result[0].samples > 100)
            #expect(try TraceVerifier(TraceReader(path: target)).verify().isSound)
        }
    }
}
