/// Values over time, or any y over x, as lines or steps.
public struct LinePlot: Sendable {
    /// The points of one line.
    public struct Series: Sendable {
        public var name: String
        public var points: [(x: Double, y: Double)]

        /// - Parameter points: points in ascending order of x; the line has a gap where y is NaN.
        public init(_ name: String, _ points: [(x: Double, y: Double)]) {
            self.name = name
            self.points = points
        }
    }

    public var title: String
    public var x: Axis
    public var y: Axis
    public var series: [Series]
    /// Whether each value holds until the next point, for states and counters.
    var isStepped: Bool
    public var palette: Palette
    /// The most points; longer lines are thinned to the extremes of each interval.
    private static let pointLimit = 1400

    public init(
        title: String, x: Axis, y: Axis, series: [Series], stepped: Bool = false, palette: Palette
    ) {
        self.title = title
        self.x = x
        self.y = y
        self.series = series
        isStepped = stepped
        self.palette = palette
    }

    public func svg() -> String {
        var canvas = PlotCanvas(
            title: title, legend: series.map { ($0.name, palette.colour(of: $0.name)) },
            leftMargin: PlotCanvas.leftMargin(of: y))
        canvas.verticalAxis(y)
        canvas.horizontalAxis(x)
        for line in series {
            var points: [(x: Double, y: Double)?] = []
            var previous: Double?
            for point in LinePlot.thinned(line.points) {
                guard point.y.isFinite, point.x.isFinite else {
                    points.append(nil)
                    previous = nil
                    continue
                }
                let at = (x: canvas.x(point.x, x), y: canvas.y(point.y, y))
                if isStepped, let previous { points.append((x: at.x, y: previous)) }
                points.append(at)
                previous = at.y
            }
            canvas.line(points, colour: palette.colour(of: line.name))
        }
        return canvas.svg()
    }

    /// Keeps the least and the largest point of each interval.
    static func thinned(_ points: [(x: Double, y: Double)]) -> [(x: Double, y: Double)] {
        guard points.count > pointLimit else { return points }
        let stretches = pointLimit / 2
        var thinned: [(x: Double, y: Double)] = []
        for stretch in 0..<stretches {
            let range =
                (points.count * stretch / stretches)..<(points.count * (stretch + 1) / stretches)
            guard let low = range.min(by: { points[$0].y < points[$1].y }),
                let high = range.max(by: { points[$0].y < points[$1].y })
            else { continue }
            thinned.append(points[min(low, high)])
            if low != high { thinned.append(points[max(low, high)]) }
        }
        return thinned
    }
}
