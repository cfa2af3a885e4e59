import PathLearning
public import PathReport
import PathSimulation
import PathTelemetry
import PathTransport
import PathWorlds
import Pathwise

/// A summary as text for a terminal.
extension DemoSummary {
    /// The run over real sockets: the file, the stream, then the costs.
    public var table: TextTable {
        var table = TextTable([
            TextTable.Column("policy", .left), TextTable.Column("file"),
            TextTable.Column("goodput"), TextTable.Column("p50"), TextTable.Column("p95"),
            TextTable.Column("p99"), TextTable.Column("longest gap"), TextTable.Column("late"),
            TextTable.Column("extra bytes"), TextTable.Column("failovers"),
        ])
        table.add([
            run.policy, NumberText.fixed(run.fileSeconds, 2) + " s",
            NumberText.rate(bytesPerSecond: run.goodput), time(run, 0.5), time(run, 0.95),
            time(run, 0.99), NumberText.time(run.longestGap),
            NumberText.percent(run.lateShare), NumberText.percent(run.extraShare),
            String(run.failovers),
        ])
        return table
    }

    /// The emulated paths.
    var pathTable: TextTable {
        var table = TextTable([
            TextTable.Column("path", .left), TextTable.Column("what it is", .left),
        ])
        for link in scenario.links { table.add([link.specification.name ?? "", link.summary]) }
        return table
    }

    /// Where the run over real sockets sent its bytes: one column per path.
    var shareTable: TextTable {
        let names = scenario.links.map { $0.specification.name ?? "" }
        var table = TextTable(
            [TextTable.Column("share of bytes", .left)] + names.map { TextTable.Column($0) })
        let total = Double(max(1, run.wireBytes))
        let cells = names.map { name in
            let path = run.status.paths.first { $0.name == name }
            return NumberText.percent(
                Double(path?.statistics.bytesSent ?? 0) / total, digits: 0)
        }
        table.add([run.policy] + cells)
        return table
    }

    /// A percentile, or `never` if it is beyond the deadline after which messages are dropped.
    private func time(_ run: PolicyRun, _ share: Double) -> String {
        let value = run.delivery(percentile: share)
        return value.isFinite ? NumberText.time(value) : "never"
    }

    /// Describes the sent data in one sentence.
    var whatWasSent: String {
        "Each policy sends a stream of \(NumberText.count(scenario.messageCount)) messages "
            + "(\(scenario.messageRate) a second of \(NumberText.count(scenario.messageBytes)) B, "
            + "with a deadline of \(NumberText.time(scenario.deadline.seconds))) and then a file "
            + "of \(NumberText.bytes(Double(scenario.fileBytes))) over the three paths, in virtual "
            + "time with \(NumberText.counted(comparison.seeds.count, "seed")) that are the same "
            + "for all: these figures are the same in every run."
    }

    /// Describes the real run in one sentence.
    var whatWasReal: String {
        "The learned policy then sent the same over real sockets and three emulated paths on this "
            + "machine, seed \(scenario.seed). The file arrived with the right SHA-256."
    }

    /// What the columns of the table mean.
    public static let columns =
        "file, goodput: the file's transfer. p50, p95, p99: the time within which that share of "
        + "the messages was delivered. longest gap: the longest time without a message. late: "
        + "messages delivered after their deadline, or dropped at it (never). extra bytes: those "
        + "sent beyond the data that arrived (headers, acknowledgements, retransmissions). "
        + "failovers: how often a path failed."

    /// Describes the training in one sentence.
    public var trained: String {
        let fit = training.fit
        let factor = { (error: Double) in NumberText.short(error) }
        return "A ridge regression on \(NumberText.count(Int(clamping: fit.rows))) recorded "
            + "decisions of \(training.policies.joined(separator: " and ")): error of predicted "
            + "log delivery time \(factor(fit.crossValidated)) on held-out blocks, "
            + "\(factor(fit.heuristic)) for the heuristic alone. The recordings are of virtual "
            + "time with other seeds. The learned policy starts from this model and continues to "
            + "learn."
    }

    /// The whole report as text.
    ///
    /// - Parameter styled: titles are bold by terminal codes.
    public func text(styled: Bool = false) -> String {
        func title(_ text: String) -> String {
            styled ? "\u{1b}[1m\(text)\u{1b}[0m\n" : text + "\n"
        }
        func wrapped(_ text: String) -> String { DemoText.wrapped(text, width: 100) }
        var text = title("Paths") + pathTable.text(styled: styled) + "\n"
        text += title("Training") + wrapped(trained) + "\n"
        text += title("Policies in virtual time") + wrapped(whatWasSent) + "\n"
        text += comparison.text(styled: styled) + "\n"
        for (_, sentence) in comparison.headlines { text += wrapped(sentence) }
        text += "\n" + title("Over real sockets") + wrapped(whatWasReal) + "\n"
        text += table.text(styled: styled) + "\n" + wrapped(DemoSummary.columns) + "\n"
        text += shareTable.text(styled: styled) + "\n"
        text += title("Other policies, estimated on the recording of that run")
        if let network = evaluation.networkTable() {
            text += network.text(styled: styled) + "\n"
        }
        text += evaluation.table().text(styled: styled)
        for remark in evaluation.verdicts + evaluation.warnings + evaluation.remarks {
            text += wrapped(remark)
        }
        text += "\nTraces and model: \(directory)\n"
        text += "Took \(NumberText.fixed(elapsed, 1)) s.\n"
        return text
    }
}

/// Wraps text into lines.
enum DemoText {
    static func wrapped(_ text: String, width: Int) -> String {
        var lines = ""
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines += line + "\n"
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return lines + line + "\n"
    }
}
