import PathDemo

/// The progress of a demonstration on standard error: a bar on a terminal, one line per step
/// elsewhere.
enum DemoProgressText {
    /// Shows it until the task is cancelled.
    static func show(_ demo: Demo) async {
        var display = ProgressDisplay()
        var told = 0
        while !Task.isCancelled {
            let progress = demo.progress
            if display.isActive {
                display.update(lines(progress))
            } else if told < progress.done.count {
                for line in progress.done[told...] {
                    try? Console.standardError.write("done: " + line + "\n")
                }
                told = progress.done.count
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
        display.clear()
    }

    private static func lines(_ progress: DemoProgress) -> [String] {
        progress.done.map { "done: " + $0 } + [
            ProgressDisplay.bar("demo", done: Int(progress.share * 1000), of: 1000)
                + "  " + progress.step
        ]
    }
}
