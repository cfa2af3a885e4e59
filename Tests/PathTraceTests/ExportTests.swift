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
        ring.record(
            Outcome(
                decision: 4, delivery: nil, isLate: true, deadline: 0.15, packets: 2,
                lostPackets: 1, closedAt: Instant(nanoseconds: 150_002_000)), session: session)
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
                "session,number,time_ns,class,bytes,deadline_ns,current_path,candidates,action,"
                    + "propensity,forced,draw,actions,probabilities,predicted_s,delivery_s,late,"
                    + "outcome_deadline_s,packets,lost,closed_ns",
                "1,4,2000,message,1200,150000000,1,0;1,0+1,0.125,0,0.9,0;1;0+1,0.75;0.125;0.125,"
                    + "0.25,,1,0.15,2,1,150002000",
            ])
    }

    @Test func decisionsAsJSONLines() throws {
        let scratch = Scratch()
        try writeOne(to: scratch.file())
        #expect(
            try export(scratch.file(), .decisions, .jsonl) == [
                #"{"session":1,"number":4,"time_ns":2000,"class":"message","bytes":1200,"#
                    + #""deadline_ns":150000000,"current_path":1,"candidates":[0,1],"#
                    + #""action":"0+1","propensity":0.125,"forced":false,"draw":0.9,"#
                    + #""actions":["0","1","0+1"],"probabilities":[0.75,0.125,0.125],"#
                    + #""predicted_s":0.25,"delivery_s":null,"late":true,"#
                    + #""outcome_deadline_s":0.15,"packets":2,"lost":1,"closed_ns":150002000}"#
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
