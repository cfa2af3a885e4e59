import PathLearning
import PathTelemetry
import PathTrace
import Testing

/// Names in a recording that would command a terminal, break out of a page, or forge lines.
struct HostileNameTests {
    private static let name =
        "a\u{1b}[2J\u{7}\u{202e}\u{9b}31m\r\nsession 7: sound\u{2028}<script>\"x\"</script>|`b`\u{0}"

    private let scratch = Scratch()

    /// Writes a trace in which all texts are hostile.
    private func write() throws -> String {
        let path = scratch.file("t.trace")
        var world = World(seed: 5)
        try world.write(300, to: path)
        let other = scratch.file("names.trace")
        let schema = FeatureSchema.current
        let writer = try TraceWriter(
            path: other,
            schema: TraceWriter.Schema(
                hash: StableHash.text(schema.hash), text: schema.text, names: schema.names),
            programVersion: Self.name)
        let ring = writer.makeRing(whenFull: .wait)
        let session = writer.beginSession(
            SessionInfo(
                startedWallClock: 1, started: .zero, role: Self.name, peer: Self.name,
                policy: Self.name, modelHash: Self.name, programVersion: Self.name,
                command: Self.name))
        for path in 0..<3 {
            ring.record(
                added: PathInfo(
                    path: PathID(path), name: Self.name, local: Self.name, remote: Self.name,
                    traits: PathTraits(), added: .zero), session: session)
        }
        ring.record(
            TraceEvent(time: .zero, kind: .note, path: PathID(1), text: Self.name, value: 1),
            session: session)
        ring.record(
            PathSample(
                time: .zero,
                snapshot: PathSnapshot(path: PathID(0), state: .active, traits: PathTraits())),
            session: session)
        let reader = try TraceReader(path: path)
        try reader.forEachDecision { decision in
            ring.record(decision.record, session: session)
            if let outcome = decision.outcome { ring.record(outcome, session: session) }
        }
        writer.endSession(session, at: .zero + .seconds(3))
        try writer.close()
        return other
    }

    private func expectHarmless(
        _ text: String, _ what: String, location: SourceLocation = #_sourceLocation
    ) {
        #expect(!text.isEmpty, "\(what)", sourceLocation: location)
        let bad = text.unicodeScalars.first { scalar in
            if scalar == "\n" { return false }
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: return true
            default: return false
            }
        }
        #expect(bad == nil, "\(what)", sourceLocation: location)
        #expect(!text.contains("\nsession 7"), "\(what)", sourceLocation: location)
    }

    @Test func nothingThatATerminalObeysIsPrinted() throws {
        let trace = try write()
        for arguments in [
            ["trace", "info", trace], ["trace", "info", trace, "--json"],
            ["trace", "verify", trace], ["evaluate", trace, "--policy", "steady"],
            ["evaluate", trace, "--policy", "steady", "--json"],
            ["trace", "export", trace, "--format", "dsjson"],
        ] {
            let run = try Pathwise(arguments).wait()
            #expect(run.status == 0, "\(arguments): \(run.errors)")
            expectHarmless(run.output, "\(arguments)")
        }
        for table in TraceExportTable.allCases {
            for format in ["csv", "jsonl"] {
                let run = try Pathwise.run(
                    "trace", "export", trace, "--table", "\(table)", "--format", format)
                #expect(run.status == 0)
                expectHarmless(run.output, "\(table) as \(format)")
            }
        }
    }

    @Test func whatIsNamedInAnErrorIsHarmless() throws {
        let trace = try write()
        let run = try Pathwise.run("evaluate", trace, "--policy", "single:path=nowhere")
        #expect(run.status == 64)
        expectHarmless(run.errors, "errors")
        // The list of names has no empty entries.
        #expect(!run.errors.contains(", ,"), "\(run.errors)")
    }

    @Test func pagesHaveNoMarkupOfOthers() throws {
        let trace = try write()
        let page = scratch.file("page.html")
        let model = scratch.file("model.safetensors")
        let evaluated = try Pathwise.run(
            "evaluate", trace, "--policy", "logged", "--report", page)
        #expect(evaluated.status == 0, "\(evaluated.errors)")
        expectHarmless(text(of: page), "page")
        #expect(!text(of: page).contains("<script>\"x\""))
        let trained = try Pathwise.run("train", trace, "--output", model)
        #expect(trained.status == 0, "\(trained.errors)")
        expectHarmless(trained.output, "train")
        let card = text(of: scratch.file("model.md"))
        expectHarmless(card, "card")
        #expect(!card.contains("<script>"))
        let info = try Pathwise.run("model", "info", model)
        #expect(info.status == 0)
        expectHarmless(info.output, "model info")
    }
}
