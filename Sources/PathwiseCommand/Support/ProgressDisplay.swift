import PathNetwork
import PathTelemetry

/// Lines on standard error that are redrawn in place; silent if it is not a terminal.
///
/// Only one thread may use it. Call `clear` before anything else is printed, and at the end.
struct ProgressDisplay {
    /// The shortest interval between redraws.
    static let interval = TimeDelta.milliseconds(100)

    private let console: Console
    /// Whether standard error is a terminal; otherwise nothing has to be computed for `show`.
    let isActive: Bool
    private var drawn = 0
    private var last: Instant?

    /// - Parameter isWanted: false never draws.
    init(console: Console = .standardError, isWanted: Bool = true) {
        self.console = console
        isActive = isWanted && console.isTerminal
    }

    /// Whether enough time has passed to draw again.
    var isDue: Bool {
        guard isActive else { return false }
        guard let last else { return true }
        return MonotonicClock.now() - last >= ProgressDisplay.interval
    }

    /// Draws the lines in place of the previous ones; lines beyond the terminal's height are cut
    /// off.
    mutating func show(_ lines: [String]) {
        guard isActive else { return }
        last = MonotonicClock.now()
        let lines = lines.prefix(max(1, (console.height ?? 24) - 1))
        let width = max(20, (console.width ?? 80) - 1)
        var text = home
        for line in lines { text += "\u{1b}[2K" + line.prefix(width) + "\n" }
        // This clears the rest of a longer drawing.
        text += "\u{1b}[J"
        drawn = lines.count
        try? console.write(text)
    }

    /// Draws the lines if a redraw is due.
    mutating func update(_ lines: @autoclosure () -> [String]) {
        if isDue { show(lines()) }
    }

    /// Removes the lines.
    mutating func clear() {
        guard isActive, drawn > 0 else { return }
        try? console.write(home + "\u{1b}[J")
        drawn = 0
        last = nil
    }

    /// Moves the cursor to the first line drawn.
    private var home: String { drawn > 0 ? "\u{1b}[\(drawn)A\r" : "" }

    /// A progress bar with percent for work of known size.
    static func bar(_ title: String, done: Int, of total: Int, width: Int = 30) -> String {
        let share = total > 0 ? min(1, max(0, Double(done) / Double(total))) : 0
        let filled = Int(share * Double(width))
        let percent = String(Int(share * 100))
        return title + " [" + String(repeating: "#", count: filled)
            + String(repeating: ".", count: width - filled) + "] "
            + String(repeating: " ", count: 3 - percent.count) + percent + " %"
    }
}
