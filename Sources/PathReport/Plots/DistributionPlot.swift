/// Empirical distributions over a logarithmic axis.
public struct DistributionPlot: Sendable {
    /// The values of one curve.
    public struct Series: Sendable {
        public var name: String
        /// The values in any order; infinite values (such as never delivered) count but are not
        /// shown.
        public var values: [Double]

        public init(_ name: String, _ values: [Double]) {
            self.name = name
            self.values = values
        }
    }

    public var title: String
    public var label: String
    public var format: AxisFormat
    public var series: [Series]
    public var palette: Palette
    /// The most steps drawn for one curve.
    private static let steps = 300

    public init(
        title: String, label: String, format: AxisFormat = .time, series: [Series],
        palette: Palette
    ) {
        self.title = title
        self.label = label
        self.format = format
        self.series = series
        self.palette = palette
    }

    public func svg() -> String {
        let sorted = series.map { $0.values.filter { !$0.isNaN }.sorted() }
        let x = Axis(
            label, covering: sorted.joined(), format: format, logarithmic: true)
        let y = Axis("share of all", range: 0...1, format: .percent)
        var canvas = PlotCanvas(
            title: title, legend: series.map { ($0.name, palette.colour(of: $0.name)) })
        canvas.verticalAxis(y)
        canvas.horizontalAxis(x)
        for (line, values) in zip(series, sorted) {
            let finite = values.count - values.reversed().prefix { $0 == .infinity }.count
            guard finite > 0 else { continue }
            var points: [(x: Double, y: Double)?] = []
            let steps = min(DistributionPlot.steps, finite)
            var height = 0.0
            for step in 0..<steps {
                let index = steps == 1 ? 0 : (finite - 1) * step / (steps - 1)
                let at = canvas.x(values[index], x)
                points.append((x: at, y: canvas.y(height, y)))
                height = Double(index + 1) / Double(values.count)
                points.append((x: at, y: canvas.y(height, y)))
            }
            points.append((x: canvas.right, y: canvas.y(height, y)))
            canvas.line(points, colour: palette.colour(of: line.name))
        }
        return canvas.svg()
    }
}
