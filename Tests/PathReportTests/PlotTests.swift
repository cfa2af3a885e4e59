import Foundation
import Testing

@testable import PathReport
@testable import PathTelemetry

/// Text compared number by number, so that the last digits of a C library do not matter.
enum Golden {
    static func pieces(_ text: String) -> [(text: Substring, number: Double?)] {
        var pieces: [(Substring, Double?)] = []
        var start = text.startIndex
        func isDigit(_ character: Character) -> Bool {
            ("0"..."9").contains(character) || character == "." || character == "-"
        }
        while start < text.endIndex {
            let digits = isDigit(text[start])
            var end = start
            while end < text.endIndex, isDigit(text[end]) == digits {
                end = text.index(after: end)
            }
            pieces.append((text[start..<end], digits ? Double(text[start..<end]) : nil))
            start = end
        }
        return pieces
    }

    /// Compares with the file of that name; PATHWISE_UPDATE_GOLDEN=1 rewrites it instead.
    static func check(_ text: String, _ name: String) throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Golden/" + name)
        if ProcessInfo.processInfo.environment["PATHWISE_UPDATE_GOLDEN"] == "1" {
            try Data(text.utf8).write(to: file)
        }
        let expected = pieces(try String(contentsOf: file, encoding: .utf8))
        let found = pieces(text)
        #expect(found.count == expected.count, "\(name): other pieces")
        for (left, right) in zip(found, expected) {
            if let number = left.number, let wanted = right.number {
                #expect((number - wanted).magnitude <= 0.011, "\(name): \(left.text)")
            } else {
                #expect(left.text == right.text, "\(name)")
            }
        }
    }
}

enum Sample {
    static let palette = Palette(["min-rtt", "round-robin", "learned", "dsl", "lte", "sat"])

    static var line: LinePlot {
        var generator = SeededGenerator(seed: 1)
        func series(_ base: Double, _ bump: Double) -> [(x: Double, y: Double)] {
            (0..<200).map { index in
                let x = Double(index) * 0.1
                let wave = x > 8 && x < 12 ? bump : 0
                return (x: x, y: base + wave + generator.uniform() * base * 0.2)
            }
        }
        let all = [
            LinePlot.Series("dsl", series(0.02, 0.09)), LinePlot.Series("lte", series(0.045, 0)),
            LinePlot.Series("sat", series(0.06, 0.03)),
        ]
        return LinePlot(
            title: "Smoothed RTT", x: Axis("time, s", range: 0...20),
            y: Axis(
                "RTT", covering: all.flatMap { $0.points.map(\.y) }, format: .time,
                includeZero: true),
            series: all, palette: palette)
    }

    static var distribution: DistributionPlot {
        var generator = SeededGenerator(seed: 2)
        func values(_ base: Double, tail: Double, lost: Int) -> [Double] {
            (0..<2000).map { index in
                if index < lost { return .infinity }
                let u = generator.uniform()
                return base * (1 + 0.3 * generator.uniform()) / max(1e-3, 1 - u * tail)
            }
        }
        return DistributionPlot(
            title: "Delivery time of messages", label: "time to delivery",
            series: [
                DistributionPlot.Series("min-rtt", values(0.02, tail: 0.99, lost: 60)),
                DistributionPlot.Series("round-robin", values(0.035, tail: 0.97, lost: 110)),
                DistributionPlot.Series("learned", values(0.019, tail: 0.9, lost: 5)),
            ], palette: palette)
    }

    static var shares: StackedAreaPlot {
        var dsl: [Double] = []
        var lte: [Double] = []
        var sat: [Double] = []
        for second in 0..<20 {
            let isGap = second == 14
            let isFast = second < 8
            dsl.append(isGap ? 0 : isFast || second >= 12 ? 60 : 5)
            lte.append(isGap ? 0 : isFast ? 25 : 70)
            sat.append(isGap ? 0 : Double(15 + second % 3 * 5))
        }
        return StackedAreaPlot(
            title: "Share of bytes by path", x: Axis("time, s", range: 0...20),
            starts: (0..<20).map { Double($0) }, end: 20,
            series: [("dsl", dsl), ("lte", lte), ("sat", sat)], palette: palette)
    }

    static var bars: IntervalPlot {
        IntervalPlot(
            title: "Late messages", label: "share late", format: .percent,
            items: [
                IntervalPlot.Item("min-rtt", value: 0.031, low: 0.024, high: 0.038),
                IntervalPlot.Item("round-robin", value: 0.055, low: 0.046, high: 0.064),
                IntervalPlot.Item("learned", value: 0.004, low: 0.001, high: 0.007),
            ], palette: palette)
    }

    static var dots: IntervalPlot {
        IntervalPlot(
            title: "Estimated value against the recorded one", label: "reward", mark: .dot,
            items: [
                IntervalPlot.Item("IPS", value: -1.62, low: -1.9, high: -1.34, series: "learned"),
                IntervalPlot.Item("SNIPS", value: -1.58, low: -1.7, high: -1.46, series: "learned"),
                IntervalPlot.Item("DM", value: -1.66, low: -1.68, high: -1.64, series: "learned"),
                IntervalPlot.Item("DR", value: -1.6, low: -1.67, high: -1.53, series: "learned"),
            ], reference: -1.75, palette: palette)
    }

    static var page: HTMLPage {
        var table = TextTable([
            TextTable.Column("policy", .left), TextTable.Column("late"), TextTable.Column("p95"),
        ])
        table.add(["min-rtt", "3.1 %", "84.2 ms"])
        table.add(["learned", "0.4 %", "39.0 ms"])
        return HTMLPage(
            title: "Three paths & one fault", subtitle: "20 s, <3> paths, seed 7",
            blocks: [
                .verdict(.good, "trust: the effective sample size is 812 of 1000 decisions"),
                .heading("What happened"), .table(table),
                .figure(svg: line.svg(), caption: "Each path's round-trip time."),
                .figure(svg: distribution.svg(), caption: "Curves further left are faster."),
                .figure(svg: shares.svg(), caption: "The gap is the outage."),
                .heading("What another policy would have done"),
                .figure(svg: bars.svg(), caption: "95 % intervals."),
                .figure(svg: dots.svg(), caption: "The dashed line is the recorded value."),
                .code("pathwise evaluate demo.trace --policy learned"),
            ])
    }
}

@Suite struct PlotTests {
    @Test func drawingsAreAsTheyWere() throws {
        try Golden.check(Sample.line.svg(), "line.svg")
        try Golden.check(Sample.distribution.svg(), "distribution.svg")
        try Golden.check(Sample.shares.svg(), "shares.svg")
        try Golden.check(Sample.bars.svg(), "bars.svg")
        try Golden.check(Sample.dots.svg(), "dots.svg")
    }

    @Test func pagesAreWellFormedAndSelfContained() throws {
        let html = Sample.page.html()
        #expect(html.contains("<h1>Three paths &amp; one fault</h1>"))
        #expect(html.contains("20 s, &lt;3&gt; paths"))
        for word in ["<script", "http://", "https://", "src=", "@import", "url("] {
            let allowed = word == "http://" ? 5 : 0  // the name space of the five drawings
            #expect(html.components(separatedBy: word).count - 1 == allowed, "\(word)")
        }
        for svg in [Sample.line.svg(), Sample.shares.svg()] {
            let parser = XMLCheck.isWellFormed(svg)
            #expect(parser)
        }
    }

    @Test func emptyAndStrangeDataGiveADrawing() {
        let palette = Palette([])
        for values in [[], [Double.nan], [0.0, -1], [.infinity], [1.0], [1e-300, 1e300]] {
            let cdf = DistributionPlot(
                title: "", label: "x", series: [DistributionPlot.Series("a<b", values)],
                palette: palette)
            #expect(XMLCheck.isWellFormed(cdf.svg()))
            let points = values.enumerated().map { (x: Double($0.offset), y: $0.element) }
            let line = LinePlot(
                title: "\u{1}", x: Axis("x", covering: points.map(\.x)),
                y: Axis("y", covering: values), series: [LinePlot.Series("s", points)],
                stepped: true, palette: palette)
            #expect(XMLCheck.isWellFormed(line.svg()))
            let bars = IntervalPlot(
                title: "t", label: "x", items: values.map { IntervalPlot.Item("i", value: $0) },
                palette: palette)
            #expect(XMLCheck.isWellFormed(bars.svg()))
            let areas = StackedAreaPlot(
                title: "t", x: Axis("x", range: 0...1), starts: [0], end: 1,
                series: [("s", values)], palette: palette)
            #expect(XMLCheck.isWellFormed(areas.svg()))
        }
    }

    @Test func ticksAreRound() {
        #expect(Axis("", covering: [0, 9.3]).ticks == [0, 2, 4, 6, 8, 10])
        #expect(
            Axis("", covering: [-1.9, -1.34]).ticks.map { ($0 * 10).rounded() }
                == [-19, -18, -17, -16, -15, -14, -13])
        let log = Axis("", covering: [0.011, 3], logarithmic: true)
        #expect(log.ticks.map { NumberText.short($0) } == ["0.03", "0.1", "0.3", "1", "3"])
        #expect(Axis("", covering: [5, 5]).ticks.count >= 4)
    }

    @Test func thinningKeepsTheExtremes() {
        var points = (0..<100_000).map { (x: Double($0), y: 0.0) }
        points[77_777].y = 9
        points[33_333].y = -9
        let thinned = LinePlot.thinned(points)
        #expect(thinned.count <= 1400)
        #expect(thinned.map(\.y).max() == 9)
        #expect(thinned.map(\.y).min() == -9)
        #expect(zip(thinned, thinned.dropFirst()).allSatisfy { $0.x < $1.x })
    }

    @Test func coloursStayWithNames() {
        let palette = Palette(["a", "b"])
        #expect(palette.colour(of: "a") == "#0077bb")
        #expect(palette.colour(of: "b") == "#ee7733")
        #expect(palette.colour(of: "c") == Palette([]).colour(of: "c"))
    }

    /// Long labels of the vertical axis end behind its title, which stands at 8 to 20.
    @Test func longLabels() {
        let long = Axis("rate", covering: [0, 32e6], format: .rate, includeZero: true)
        let widest = long.ticks.map { TextTable.width(long.format.text($0)) }.max() ?? 0
        #expect(widest >= 9)
        #expect(PlotCanvas.leftMargin(of: long) - 7 - Double(widest) * 6.4 >= 22)
        let short = Axis("share", covering: [0, 1], format: .percent, includeZero: true)
        #expect(PlotCanvas.leftMargin(of: short) == 72)
    }
}

/// Tags that open and close in order, attributes quoted, no bare `&` or `<`.
enum XMLCheck {
    static func isWellFormed(_ text: String) -> Bool {
        var open: [Substring] = []
        var rest = text[...]
        while let start = rest.firstIndex(of: "<") {
            let between = rest[..<start]
            for part in between.split(separator: "&", omittingEmptySubsequences: false).dropFirst()
            where !["amp;", "lt;", "gt;", "quot;"].contains(where: { part.hasPrefix($0) }) {
                return false
            }
            guard let end = rest[start...].firstIndex(of: ">") else { return false }
            let tag = rest[rest.index(after: start)..<end]
            rest = rest[rest.index(after: end)...]
            if tag.hasPrefix("/") {
                guard open.popLast() == tag.dropFirst() else { return false }
            } else if !tag.hasSuffix("/") {
                guard tag.count(where: { $0 == "\"" }) % 2 == 0 else { return false }
                open.append(tag.prefix { $0 != " " && $0 != "\n" })
            }
        }
        return open.isEmpty
    }
}
