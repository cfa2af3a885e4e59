import Glibc
import PathTrace
import Testing

@testable import PathLearning
@testable import PathTelemetry

@Suite struct ExportTests {
    private func export(
        _ path: String, _ table: TraceExportTable, _ format: TraceExportFormat
    ) throws -> [String] {
        var text: [UInt8] = []
        try TraceExporter(TraceReader(path: path)).export(table, as: format) { text += $0 }
        #expect(text.last == 0x0a)
        return String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// One decision with round numbers.
    private func writeOne(to path: String) throws {
        var candidates = CandidateSet()
        for index in 0..<2 {
            var candidate = Candidate(path: PathID(index), traits: PathTraits(kind: .wifi))
            candidate.features[0] = 0.5
            candidate.predictedDelivery = 0.25 + Double(index)
            candidates.append(candidate)
        }
        var distribution = ActionDistribution()
        distribution.append(PathSet(PathID(0)), 0.75)
        distribution.append(PathSet(PathID(1)), 0.125)
        distribution.append([PathSet(PathID(0)), PathSet(PathID(1))], 0.125)
        let decision = DecisionRecord(
            number: 4, time: Instant(nanoseconds: 2_000),
            burst: BurstContext(
                bytes: 1200, deadline: .milliseconds(150), trafficClass: .message,
                currentPath: PathID(1)),
            candidates: candidates, decision: Decision(distribution: distribution, chosen: 2),
            draw: 0.9)
        let writer = try TraceWriter(path: path, schema: testSchema, programVersion: "1")
        let ring = writer.makeRing()
        let session = writer.beginSession(sessionInfo())
        ring.record(decision, session: session)
        var bytes = PathBytes()
        bytes.add(1300, to: PathID(0))
        bytes.add(600, to: PathID(1))
        ring.record(
            Outcome(
                decision: 4, delivery: nil, isLate: true, deadline: 0.15, packets: 2,
                lostPackets: 1, bytes: bytes, closedAt: Instant(nanoseconds: 150_002_000)),
            session: session)
        ring.record(
            TraceEvent(time: .zero, kind: .note, text: "a \"b\",\nc", value: 1e-7),
            session: session)
        try writer.close()
    }

    @Test func decisionsAsCSV() throws {
        let scratch = Scratch()
        try writeOne(to: scratch.file())
        #expect(
            try export(scratch.file(), .decisions, .csv) == [
                "session,number,time_ns,class,planned_bytes,deadline_ns,current_path,candidates,action,"
                    + "propensity,forced,draw,actions,probabilities,predicted_s,delivery_s,late,"
                    + "outcome_deadline_s,packets,lost,closed_ns,bytes,bytes_by_path",
                "1,4,2000,message,1200,150000000,1,0;1,0+1,0.125,0,0.9,0;1;0+1,0.75;0.125;0.125,"
                    + "0.25,,1,0.15,2,1,150002000,1900,0:1300;1:600",
            ])
    }

    @Test func decisionsAsJSONLines() throws {
        let scratch = Scratch()
        try writeOne(to: scratch.file())
        #expect(
            try export(scratch.file(), .decisions, .jsonl) == [
                #"{"session":1,"number":4,"time_ns":2000,"class":"message","planned_bytes":1200,"#
                    + #""deadline_ns":150000000,"current_path":1,"candidates":[0,1],"#
                    + #""action":"0+1","propensity":0.125,"forced":false,"draw":0.9,"#
                    + #""actions":["0","1","0+1"],"probabilities":[0.75,0.125,0.125],"#
                    + #""predicted_s":0.25,"delivery_s":null,"late":true,"#
                    + #""outcome_deadline_s":0.15,"packets":2,"lost":1,"closed_ns":150002000,"#
                    + #""bytes":1900,"bytes_by_path":["0:1300","1:600"]}"#
            ])
    }

    @Test func candidatesNameTheirFeatures() throws {
        let scratch = Scratch()
        try writeOne(to: scratch.file())
        let rows = try export(scratch.file(), .candidates, .csv)
        #expect(rows.count == 3)
        #expect(rows[0].hasSuffix(",kind," + (0..<24).map { "f\($0)" }.joined(separator: ",")))
        #expect(
            rows[1]
                == "1,4,0,1,0.25,0,0,0,0,0,0,0,0,1,0,inf,0,wifi,0.5"
                + String(repeating: ",0", count: 23))
    }

    @Test func eventsAreQuoted() throws {
        let scratch = Scratch()
        try writeOne(to: scratch.file())
        #expect(
            try export(scratch.file(), .events, .jsonl) == [
                #"{"session":1,"time_ns":0,"kind":"note","path":null,"text":"a \"b\",\nc","#
                    + #""value":1e-07}"#
            ])
        #expect(
            try export(scratch.file(), .events, .csv).dropFirst().joined(separator: "|")
                == "1,0,note,,\"a \"\"b\"\",\\x0ac\",1e-07")
    }

    /// Texts of a peer are not formulas in a spreadsheet, and numbers stay numbers.
    @Test func textsThatLookLikeFormulasHaveAnApostrophe() throws {
        let scratch = Scratch()
        let path = scratch.file()
        let texts = [
            "=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0", "+1": "'+1", "-1": "'-1",
            "@SUM(1)": "'@SUM(1)",
            "\t=1": "\\x09=1", "\r=1": "\\x0d=1", "\u{ff1d}1": "'\u{ff1d}1", "a=1": "a=1",
            "=1,2": "\"'=1,2\"", "=\"1\"": "\"'=\"\"1\"\"\"", "a;=1": "\"a;=1\"", "": "",
            "'=1": "'=1",
        ]
        let names = texts.keys.sorted()
        let writer = try TraceWriter(path: path, schema: testSchema, programVersion: "1")
        let ring = writer.makeRing(whenFull: .wait)
        let session = writer.beginSession(
            SessionInfo(startedWallClock: -5, started: .zero, role: "=send", peer: "@x"))
        for text in names {
            ring.record(
                TraceEvent(time: Instant(nanoseconds: -7), kind: .note, text: text, value: -1.5),
                session: session)
            ring.record(
                added: PathInfo(
                    path: PathID(0), name: text, local: text, remote: text, traits: PathTraits(),
                    added: Instant(nanoseconds: -3)), session: session)
        }
        try writer.close()
        #expect(
            try export(path, .events, .csv).dropFirst()
                == names.map { "1,-7,note,,\(texts[$0] ?? ""),-1.5" }[...])
        let paths = try export(path, .paths, .csv).dropFirst()
        #expect(paths.count == names.count)
        for (line, name) in zip(paths, names) {
            let text = texts[name] ?? ""
            #expect(line.hasPrefix("1,0,\(text),\(text),\(text),1,"))
            #expect(line.hasSuffix(",-3,"))
        }
        #expect(
            try export(path, .sessions, .csv).last == "1,-5,0,,'=send,'@x,,,0,,")
        #expect(
            try export(path, .events, .jsonl)[names.firstIndex(of: "=1,2") ?? 0].contains(
                #""text":"=1,2","value":-1.5"#))
    }

    @Test func decisionsAsDecisionServiceJSON() throws {
        let scratch = Scratch()
        try writeOne(to: scratch.file())
        let line = try export(scratch.file(), .decisions, .dsjson)[0]
        // Late: the logarithm of the deadline, and one for being late.
        #expect(line.hasPrefix("{\"_label_cost\":\(log(0.15) + 1),\"_label_probability\":0.125,"))
        #expect(
            line.contains(
                #""_label_Action":3,"_labelIndex":2,"Timestamp":"2027-01-15T08:00:00.000001Z","#
                    + #""Version":"1","EventId":"1-4","a":[3,1,2],"c":{"burst":{"bytes":1200,"#
                    + #""deadline_s":0.15000000000000002,"message":1},"_multi":[{"action":{"0":1,"copies":1},"#
                    + #""path":{"f0":0.5,"f1":0,"#))
        #expect(line.contains(#"{"action":{"0+1":1,"copies":2},"path":{"f0":0.5,"#))
        #expect(line.hasSuffix(#""predicted_s":0.25}}]},"p":[0.125,0.75,0.125]}"#))
        #expect(
            try query(":memory:", "SELECT json_valid('\(line)'), json_extract('\(line)', '$.p[1]')")
                == ["1|0.75"])
    }

    @Test(arguments: TraceExportTable.allCases, TraceExportFormat.allCases)
    func everyTableHasItsRows(table: TraceExportTable, format: TraceExportFormat) throws {
        let scratch = Scratch()
        try writeSoundTrace(to: scratch.file(), decisions: 40)
        if format == .dsjson, table != .decisions {
            #expect(throws: TraceError.self) { try export(scratch.file(), table, format) }
            return
        }
        let rows = try export(scratch.file(), table, format).count - (format == .csv ? 1 : 0)
        let expected: [TraceExportTable: Int] = [
            .decisions: 80, .candidates: 240, .sessions: 2, .paths: 6, .samples: 80, .events: 2,
        ]
        #expect(rows == expected[table])
    }
}
