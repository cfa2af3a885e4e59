/// Stacked shares over time: which path carried how much.
struct StackedAreaPlot: Sendable {
    var title: String
    var x: Axis
    var label: String
    /// Start of each interval, in ascending order.
    var starts: [Double]
    /// End of the last interval.
    var end: Double
    /// Values of each series, one per interval; NaN and negative values count as zero.
    var series: [(name: String, values: [Double])]
    var palette: Palette

    init(
        title: String, x: Axis, label: String = "share", starts: [Double], end: Double,
        series: [(name: String, values: [Double])], palette: Palette
    ) {
        self.title = title
        self.x = x
        self.label = label
        self.starts = starts
        self.end = end
        self.series = series
        self.palette = palette
    }

    func svg() -> String {
        let y = Axis(label, range: 0...1, format: .percent)
        var canvas = PlotCanvas(
            title: title, legend: series.map { ($0.name, palette.colour(of: $0.name)) })
        var below = [Double](repeating: 0, count: starts.count)
        let totals = starts.indices.map { index in
            series.reduce(0) { $0 + StackedAreaPlot.value($1.values, index) }
        }
        for line in series {
            var lower: [(x: Double, y: Double)] = []
            var upper: [(x: Double, y: Double)] = []
            // An interval without any value is a gap between areas.
            func finish() {
                canvas.area(
                    upper + lower.reversed(), colour: palette.colour(of: line.name))
                lower = []
                upper = []
            }
            for index in starts.indices {
                guard totals[index] > 0 else {
                    finish()
                    continue
                }
                let share = StackedAreaPlot.value(line.values, index) / totals[index]
                let from = canvas.x(starts[index], x)
                let to = canvas.x(index + 1 < starts.count ? starts[index + 1] : end, x)
                for at in [from, to] {
                    lower.append((x: at, y: canvas.y(below[index], y)))
                    upper.append((x: at, y: canvas.y(below[index] + share, y)))
                }
                below[index] += share
            }
            finish()
        }
        canvas.verticalAxis(y)
        canvas.horizontalAxis(x)
        return canvas.svg()
    }

    private static func value(_ values: [Double], _ index: Int) -> Double {
        guard index < values.count, values[index] > 0, values[index].isFinite else { return 0 }
        return values[index]
    }
}
