/// Values with intervals, one per line, as bars from zero, or as dots if zero has no meaning.
public struct IntervalPlot: Sendable {
    /// How a value is drawn.
    public enum Mark: Sendable { case bar, dot }

    /// A value with its interval: one line of the plot.
    public struct Item: Sendable {
        var label: String
        var value: Double
        var low: Double
        var high: Double
        /// The name that determines the colour; nil means the label.
        var series: String?

        /// - Parameters:
        ///   - label: what stands beside it.
        ///   - low, high: the ends of its interval; nil is the value itself.
        ///   - series: the name that determines the colour; nil means the label.
        public init(
            _ label: String, value: Double, low: Double? = nil, high: Double? = nil,
            series: String? = nil
        ) {
            self.label = label
            self.value = value
            self.low = low ?? value
            self.high = high ?? value
            self.series = series
        }
    }

    var title: String
    var label: String
    var format: AxisFormat
    var mark: Mark
    var items: [Item]
    /// A value to compare with, drawn as a dashed line.
    var reference: Double?
    var palette: Palette

    /// - Parameters:
    ///   - label: the name of the axis of values.
    ///   - reference: a value to compare with, drawn as a dashed line.
    public init(
        title: String, label: String, format: AxisFormat = .plain, mark: Mark = .bar,
        items: [Item], reference: Double? = nil, palette: Palette
    ) {
        self.title = title
        self.label = label
        self.format = format
        self.mark = mark
        self.items = items
        self.reference = reference
        self.palette = palette
    }

    public func svg() -> String {
        let widest = items.reduce(0) { max($0, TextTable.width($1.label)) }
        let margin = min(260, max(72, 20 + Double(widest) * 6.8))
        let head = title.isEmpty ? 12.0 : 34.0
        var canvas = PlotCanvas(
            title: title, legend: [], height: head + Double(max(1, items.count)) * 30 + 48,
            leftMargin: margin)
        let values = items.flatMap { [$0.value, $0.low, $0.high] } + (reference.map { [$0] } ?? [])
        let axis = Axis(label, covering: values, format: format, includeZero: mark == .bar)
        canvas.horizontalAxis(axis)
        if let reference {
            let x = canvas.x(reference, axis)
            canvas.rule((x: x, y: canvas.top), (x: x, y: canvas.bottom), class: "pw-r")
        }
        for (index, item) in items.enumerated() {
            let y = canvas.top + (Double(index) + 0.5) * 30
            canvas.text(item.label, x: canvas.left - 8, y: y + 4, anchor: "end")
            guard item.value.isFinite else { continue }
            let colour = palette.colour(of: item.series ?? item.label)
            let x = canvas.x(item.value, axis)
            if mark == .bar {
                let zero = canvas.x(0, axis)
                canvas.rectangle(
                    x: min(zero, x), y: y - 9, width: (x - zero).magnitude, height: 18,
                    colour: colour)
            }
            if item.high > item.low {
                let (low, high) = (canvas.x(item.low, axis), canvas.x(item.high, axis))
                canvas.rule((x: low, y: y), (x: high, y: y))
                for end in [low, high] { canvas.rule((x: end, y: y - 5), (x: end, y: y + 5)) }
            }
            if mark == .dot { canvas.dot(x: x, y: y, colour: colour) }
        }
        return canvas.svg()
    }
}
