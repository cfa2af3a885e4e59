public import PathReport
import PathSimulation
import PathTelemetry
public import PathTrace
import PathWorlds

/// A summary as an HTML page in one file, with plots.
extension DemoSummary {
    /// Makes the page; reads the recordings again for the plots over time.
    public func page() throws(TraceError) -> HTMLPage {
        let palette = Palette([run.policy] + scenario.links.map { $0.specification.name ?? "" })
        var page = HTMLPage(
            title: "Pathwise: learned path choice against fixed rules",
            subtitle: "Three unlike paths, in virtual time and over real sockets; seed "
                + "\(scenario.seed), stream of \(NumberText.short(scenario.seconds)) s, file of "
                + NumberText.bytes(Double(scenario.fileBytes)))
        page.blocks = [.paragraph(whatWasSent)]
        page.blocks += comparison.blocks(shares: [])
        page.blocks += [
            .heading("The paths"),
            .table(pathTable),
            .code(
                scenario.links.map { "pathwise emulate --link " + $0.text }
                    .joined(separator: "\n")),
            .heading("Training"), .paragraph(trained),
            .heading("Over real sockets"), .paragraph(whatWasReal), .table(table),
            .paragraph(DemoSummary.columns),
        ]
        page.blocks += streamBlocks(palette)
        page.blocks += try pathBlocks(palette)
        page.blocks += fileBlocks(palette)
        page.blocks += try learningBlocks(palette)
        return page
    }

    // MARK: the stream

    private func streamBlocks(_ palette: Palette) -> [HTMLPage.Block] {
        let distribution = DistributionPlot(
            title: "Delivery time of messages", label: "time from sending to arrival",
            series: [DistributionPlot.Series(run.policy, run.deliveries)],
            palette: palette
        ).svg()
        let late = [LinePlot.Series(run.policy, DemoSummary.lateSoFar(run))]
        let overTime = LinePlot(
            title: "Late messages so far",
            x: Axis("seconds since the start of the stream", range: 0...scenario.seconds),
            y: Axis(
                "messages", covering: late.flatMap { $0.points.map(\.y) } + [10],
                includeZero: true),
            series: late, stepped: true, palette: palette
        ).svg()
        let half = NumberText.short(0.5 * scenario.seconds)
        return [
            .heading("The stream of messages"),
            .figure(
                svg: distribution,
                caption: "Share of all messages that arrived within a time; further left "
                    + "and higher is better. A curve that ends below 100 % dropped messages at "
                    + "their deadline of \(NumberText.time(scenario.deadline.seconds))."),
            .figure(
                svg: overTime,
                caption: "Lower is better: the number of messages that arrived after "
                    + "\(NumberText.time(scenario.deadline.seconds)) or not at all. dsl is at "
                    + "1.5 Mbit/s from \(NumberText.short(0.15 * scenario.seconds)) to "
                    + "\(NumberText.short(0.4 * scenario.seconds)) s, cable is dead from "
                    + "\(half) to \(NumberText.short(0.8 * scenario.seconds)) s."),
        ]
    }

    /// The cumulative number of late messages by time of sending.
    private static func lateSoFar(_ run: PolicyRun) -> [(x: Double, y: Double)] {
        var points: [(x: Double, y: Double)] = [(x: 0, y: 0)]
        var count = 0.0
        for (time, delivery) in zip(run.sendTimes, run.deliveries) where delivery > run.deadline {
            count += 1
            points.append((x: max(0, time), y: count))
        }
        return points + [(x: run.sendTimes.last ?? 0, y: count)]
    }

    // MARK: the paths over time

    private func pathBlocks(_ palette: Palette) throws(TraceError) -> [HTMLPage.Block] {
        var figures = TraceFigures()
        let trace = try TraceReader(path: run.trace)
        for session in try trace.info().sessions {
            try figures.add(trace, session: session, label: run.policy)
        }
        var blocks: [HTMLPage.Block] = [.heading("Bytes by path")]
        let fileStart = NumberText.short(scenario.fileStart)
        for (label, svg) in figures.sharePlots(palette: palette) {
            blocks.append(
                .figure(
                    svg: svg,
                    caption: "\(label): the stream up to \(fileStart) s, then the file. White is "
                        + "no traffic."))
        }
        blocks.append(.table(shareTable))
        return blocks
    }

    // MARK: the file

    private func fileBlocks(_ palette: Palette) -> [HTMLPage.Block] {
        let series = [LinePlot.Series(run.policy, run.fileProgress)]
        let longest = max(run.fileSeconds, 0.1)
        let svg = LinePlot(
            title: "Progress of the file", x: Axis("seconds since its start", range: 0...longest),
            y: Axis(
                "bytes arrived", covering: [0, Double(scenario.fileBytes)], format: .bytes,
                includeZero: true),
            series: series, palette: palette
        ).svg()
        return [
            .heading("The file"),
            .figure(
                svg: svg,
                caption: "In order at the receiver; steeper is better. cable is dead from 1.2 to "
                    + "3.2 s; a flat line is a stall."),
        ]
    }

    // MARK: training and evaluation

    private func learningBlocks(_ palette: Palette) throws(TraceError) -> [HTMLPage.Block] {
        var blocks: [HTMLPage.Block] = []
        let trace = try TraceReader(path: run.trace)
        for session in try trace.info().sessions {
            blocks.append(
                .figure(
                    svg: try TraceFigures.rttPlot(trace, session: session, palette: palette),
                    caption: "The round trips of the paths during that run, which the policy had "
                        + "to learn."))
        }
        blocks.append(.heading("Other policies, estimated on the recording of that run"))
        blocks.append(
            .paragraph(
                "Estimated from the recording alone: the value of each policy at the recorded "
                    + "decisions. The value is minus the cost (log of the delivery time in "
                    + "seconds, and 1 if late), so higher is better. A verdict says whether the "
                    + "recording has enough of that policy's choices."))
        blocks += evaluation.blocks(palette: palette)
        return blocks
    }
}
