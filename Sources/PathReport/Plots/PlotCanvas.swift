import PathTelemetry

/// An SVG drawing: frame, axes and legend of a plot, and its marks.
struct PlotCanvas {
    static let width = 720.0
    private static let fontSize = 12.0
    /// Approximate width of a character of the font.
    private static let characterWidth = 6.4

    let height: Double
    let left: Double
    let right: Double
    let top: Double
    let bottom: Double
    private var body = ""
    private let title: String

    /// - Parameters:
    ///   - legend: names with their colours, in order; long legends wrap.
    ///   - leftMargin: space for the labels of the vertical axis.
    init(title: String, legend: [(String, String)], height: Double = 320, leftMargin: Double = 72) {
        self.title = title
        self.height = height
        left = leftMargin
        right = PlotCanvas.width - 20
        bottom = height - 48
        var x = left
        var y = title.isEmpty ? 18.0 : 40.0
        var marks = ""
        for (name, colour) in legend {
            let size = 26 + Double(TextTable.width(name)) * PlotCanvas.characterWidth
            if x + size > right, x > left {
                x = left
                y += 18
            }
            marks +=
                "<rect x=\"\(PlotCanvas.number(x))\" y=\"\(PlotCanvas.number(y - 9))\" width=\"14\""
                + " height=\"10\" rx=\"2\" fill=\"\(colour)\"/>"
                + "<text class=\"pw-t\" x=\"\(PlotCanvas.number(x + 19))\""
                + " y=\"\(PlotCanvas.number(y))\">\(Markup.escape(name))</text>\n"
            x += size + 14
        }
        top = legend.isEmpty ? (title.isEmpty ? 12 : 34) : y + 14
        if !title.isEmpty {
            body =
                "<text class=\"pw-h\" x=\"\(PlotCanvas.number(left))\" y=\"18\">"
                + "\(Markup.escape(title))</text>\n"
        }
        body += marks
    }

    /// Space for the labels and the title of a vertical axis, no less than usual.
    static func leftMargin(of axis: Axis) -> Double {
        let widest = axis.ticks.map { TextTable.width(axis.format.text($0)) }.max() ?? 0
        return max(72, 32 + Double(widest) * characterWidth)
    }

    /// Formats a number with at most two digits after the point.
    static func number(_ value: Double) -> String {
        NumberText.rounded(value, 2)
    }

    func x(_ value: Double, _ axis: Axis) -> Double {
        left + axis.position(value) * (right - left)
    }

    func y(_ value: Double, _ axis: Axis) -> Double {
        bottom - axis.position(value) * (bottom - top)
    }

    // MARK: Axes

    mutating func horizontalAxis(_ axis: Axis) {
        for tick in axis.ticks {
            let x = PlotCanvas.number(x(tick, axis))
            body +=
                "<line class=\"pw-g\" x1=\"\(x)\" x2=\"\(x)\" y1=\"\(PlotCanvas.number(top))\""
                + " y2=\"\(PlotCanvas.number(bottom))\"/>"
                + "<text class=\"pw-t\" text-anchor=\"middle\" x=\"\(x)\""
                + " y=\"\(PlotCanvas.number(bottom + 17))\">"
                + "\(Markup.escape(axis.format.text(tick)))</text>\n"
        }
        body +=
            "<line class=\"pw-a\" x1=\"\(PlotCanvas.number(left))\""
            + " x2=\"\(PlotCanvas.number(right))\" y1=\"\(PlotCanvas.number(bottom))\""
            + " y2=\"\(PlotCanvas.number(bottom))\"/>"
            + "<text class=\"pw-t\" text-anchor=\"middle\""
            + " x=\"\(PlotCanvas.number((left + right) / 2))\""
            + " y=\"\(PlotCanvas.number(bottom + 37))\">\(Markup.escape(axis.label))</text>\n"
    }

    mutating func verticalAxis(_ axis: Axis) {
        for tick in axis.ticks {
            let y = y(tick, axis)
            body +=
                "<line class=\"pw-g\" x1=\"\(PlotCanvas.number(left))\""
                + " x2=\"\(PlotCanvas.number(right))\" y1=\"\(PlotCanvas.number(y))\""
                + " y2=\"\(PlotCanvas.number(y))\"/>"
                + "<text class=\"pw-t\" text-anchor=\"end\" x=\"\(PlotCanvas.number(left - 7))\""
                + " y=\"\(PlotCanvas.number(y + 4))\">"
                + "\(Markup.escape(axis.format.text(tick)))</text>\n"
        }
        let middle = PlotCanvas.number((top + bottom) / 2)
        body +=
            "<text class=\"pw-t\" text-anchor=\"middle\" transform=\"rotate(-90 14 \(middle))\""
            + " x=\"14\" y=\"\(middle)\">\(Markup.escape(axis.label))</text>\n"
    }

    // MARK: Marks

    /// A line through points of the canvas; gaps where a point is nil.
    mutating func line(_ points: [(x: Double, y: Double)?], colour: String, dash: String = "") {
        var path = ""
        var isDrawing = false
        for point in points {
            guard let point else {
                isDrawing = false
                continue
            }
            path +=
                (isDrawing ? "L" : "M") + PlotCanvas.number(point.x) + " "
                + PlotCanvas.number(point.y)
            isDrawing = true
        }
        guard !path.isEmpty else { return }
        body += "<path class=\"pw-l\" d=\"\(path)\" stroke=\"\(colour)\""
        if !dash.isEmpty { body += " stroke-dasharray=\"\(dash)\"" }
        body += "/>\n"
    }

    /// A filled shape.
    mutating func area(_ points: [(x: Double, y: Double)], colour: String) {
        guard points.count > 2 else { return }
        let path = points.map { PlotCanvas.number($0.x) + " " + PlotCanvas.number($0.y) }
        body +=
            "<path d=\"M" + path.joined(separator: "L") + "Z\" fill=\"\(colour)\""
            + " fill-opacity=\"0.85\"/>\n"
    }

    mutating func rectangle(
        x: Double, y: Double, width: Double, height: Double, colour: String
    ) {
        body +=
            "<rect x=\"\(PlotCanvas.number(x))\" y=\"\(PlotCanvas.number(y))\""
            + " width=\"\(PlotCanvas.number(max(0, width)))\""
            + " height=\"\(PlotCanvas.number(max(0, height)))\" fill=\"\(colour)\""
            + " fill-opacity=\"0.85\"/>\n"
    }

    /// A straight line in the ink colour.
    mutating func rule(
        _ from: (x: Double, y: Double), _ to: (x: Double, y: Double), class name: String = "pw-i"
    ) {
        body +=
            "<line class=\"\(name)\" x1=\"\(PlotCanvas.number(from.x))\""
            + " y1=\"\(PlotCanvas.number(from.y))\" x2=\"\(PlotCanvas.number(to.x))\""
            + " y2=\"\(PlotCanvas.number(to.y))\"/>\n"
    }

    mutating func dot(x: Double, y: Double, colour: String) {
        body +=
            "<circle cx=\"\(PlotCanvas.number(x))\" cy=\"\(PlotCanvas.number(y))\" r=\"4.5\""
            + " fill=\"\(colour)\"/>\n"
    }

    mutating func text(_ text: String, x: Double, y: Double, anchor: String = "start") {
        body +=
            "<text class=\"pw-t\" text-anchor=\"\(anchor)\" x=\"\(PlotCanvas.number(x))\""
            + " y=\"\(PlotCanvas.number(y))\">\(Markup.escape(text))</text>\n"
    }

    /// The whole drawing.
    func svg() -> String {
        let size = "\(PlotCanvas.number(PlotCanvas.width)) \(PlotCanvas.number(height))"
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(size)" \
            role="img" aria-label="\(Markup.escape(title))">
            <style>\(PlotCanvas.style)</style>
            \(body)</svg>
            """
    }

    private static let style = """
        .pw-t,.pw-h{font-family:system-ui,"DejaVu Sans",sans-serif;font-size:12px;fill:#444}\
        .pw-h{font-size:14px;font-weight:600;fill:#222}\
        .pw-g{stroke:#888;stroke-opacity:.25}.pw-a{stroke:#888}\
        .pw-i{stroke:#444;stroke-width:1.5}.pw-r{stroke:#888;stroke-dasharray:4 3}\
        .pw-l{fill:none;stroke-width:1.8;stroke-linejoin:round}\
        @media(prefers-color-scheme:dark){.pw-t{fill:#bbb}.pw-h{fill:#eee}.pw-i{stroke:#bbb}}
        """
}
